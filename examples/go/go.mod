module example.com/crc

go 1.19
