module example.com/replaced

go 1.26

require (
	example.com/dep v1.0.0
	example.com/orig v1.0.0
)

replace (
	example.com/dep => ./dep
	example.com/orig v1.0.0 => example.com/fork v1.VERSION.0
)
