#![doc = "The live driver of control: a gateway in front of Ollama hosts, and an emulated host to try it with."]

pub mod wire;
