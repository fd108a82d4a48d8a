module moult.example/second-verifier

go 1.19
