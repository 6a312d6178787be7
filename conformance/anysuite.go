package conformance

import "context"

// AnySuite is a *[Suite] of whatever contract: what a program needs that holds
// drivers of several contracts to theirs. Nothing else implements it usefully.
type AnySuite interface {
	// Info names the suite's contract.
	Info() ContractInfo
	// Catalogue describes the checks in the order of Suite.All.
	Catalogue() []CheckInfo
	// Validate, Worker and ValidateOptions are those of Suite.
	Validate() error
	Worker()
	ValidateOptions(o Options) error
	// Run is the function Run, with this suite.
	Run(ctx context.Context, o Options) (*Report, error)
}

// CheckInfo describes a check: the fields of [Check] that are for the reader.
type CheckInfo struct {
	// ID, Level, Rule, Source and Gate are the check's.
	ID     string `json:"id"`
	Level  Level  `json:"level"`
	Rule   string `json:"rule"`
	Source string `json:"source"`
	Gate   string `json:"gate,omitempty"`
}

// Info names the suite's contract. Without one, both fields are "".
func (s *Suite[D]) Info() ContractInfo {
	if s.Contract == nil {
		return ContractInfo{}
	}
	return ContractInfo{s.Contract.Name(), s.Contract.Version()}
}

// Catalogue describes the checks in the order of [Suite.All].
func (s *Suite[D]) Catalogue() []CheckInfo {
	all := s.All()
	infos := make([]CheckInfo, len(all))
	for i, c := range all {
		infos[i] = CheckInfo{c.ID, c.Level, c.Rule, c.Source, c.Gate}
	}
	return infos
}

// Run is the function [Run] with this suite.
func (s *Suite[D]) Run(ctx context.Context, o Options) (*Report, error) { return Run(ctx, s, o) }
