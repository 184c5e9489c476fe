"""Settings: what there is to set (`structs`), and where each value comes from (`load`)."""
