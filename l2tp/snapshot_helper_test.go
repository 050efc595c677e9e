package l2tp

func (p *pair) restore(end int) {}
