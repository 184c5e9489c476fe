"""Engine: one replica, put together from its parts (`assembly`), and its life (`engine`)."""
