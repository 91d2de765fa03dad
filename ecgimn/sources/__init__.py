"""Where recordings come from: PTB-XL in a folder or over https, and composite cases."""
