module moult.example/render-chart

go 1.19
