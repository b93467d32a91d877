"""Two instances asked the same: what one answers otherwise than the other, without consulting any requirement."""
