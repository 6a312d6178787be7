package main

var name = "NAME"

func init() { name += " in package main" }
