// Publishes that somebody has ordered.
//
// go mod init shop && go get github.com/nats-io/nats.go && go run publish.go nats://127.0.0.1:4222 ORDER
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/nats-io/nats.go"
)

// The same from every service: the one that comes first, or last, changes nothing.
const ordered = `{
	"id": "shop.ordered",
	"owner": "shop",
	"context_key": "/order",
	"payload_schema": {
		"type": "object",
		"required": ["order", "customer"],
		"properties": {
			"order": {"type": "string"},
			"customer": {"type": "string"},
			"first": {"type": "boolean"}
		}
	}
}`

func main() {
	url, order := os.Args[1], os.Args[2]
	client, err := nats.Connect(url)
	check(err)
	defer client.Close()

	reply, err := client.Request("lockstep.api.catalog.triggers.register", []byte(ordered), 10*time.Second)
	check(err)
	if refused := reply.Header.Get("Nats-Service-Error"); refused != "" {
		log.Fatal(refused)
	}

	payload, err := json.Marshal(map[string]any{"order": order, "customer": "Ann", "first": true})
	check(err)
	message := nats.NewMsg("lockstep.trigger.shop.ordered")
	message.Data = payload
	message.Header.Set("Lockstep-Actor", `{"type": "application", "id": "shop-go", "name": "Go"}`)

	stream, err := client.JetStream()
	check(err)
	// Published again with the same message id, it is not taken again.
	stored, err := stream.PublishMsg(message, nats.MsgId("ordered-"+order))
	check(err)
	state := "new"
	if stored.Duplicate {
		state = "known already"
	}
	fmt.Println(stored.Stream, stored.Sequence, state)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
