"""Personal data in Korean text: found by rules, then kept, masked, replaced or sealed as a policy says."""
