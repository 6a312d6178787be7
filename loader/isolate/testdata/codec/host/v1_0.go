package main

import codec "example.com/codec/contract"

func news(codec.Driver) {}
