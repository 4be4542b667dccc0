namespace Uniscale.Programs.Timing;

/// <summary>Runs the programs of one pipeline in time.</summary>
internal sealed class TimelineSimulation
{
    private readonly StepCosts _costs;
    private readonly StepProgram[] _programs;
    private readonly Clock[] _clocks;
    private readonly Dictionary<(int Rank, int Block, int Microbatch, bool Gradient), double> _arrivals = [];
    private readonly List<Interval> _intervals = [];

    public TimelineSimulation(StepCosts costs, StepProgram[] programs)
    {
        (_costs, _programs) = (costs, programs);
        _clocks = Array.ConvertAll(programs, _ => new Clock());
    }

    /// <summary>Where a rank is in its program and in time.</summary>
    private sealed class Clock
    {
        public int Next { get; set; }

        /// <summary>When the compute lane is free.</summary>
        public double Compute { get; set; }

        /// <summary>When the communication lane is free.</summary>
        public double Communication { get; set; }

        /// <summary>When the last pass was over.</summary>
        public double Passes { get; set; }

        /// <summary>When each block's gathered parameters are there.</summary>
        public Dictionary<int, double> Gathered { get; } = [];
    }

    public PipelineTimeline Run()
    {
        for (bool moved = true; moved;)
        {
            moved = false;
            for (int place = 0; place < _programs.Length; place++)
                while (
                    _clocks[place].Next < _programs[place].Instructions.Count
                    && Step(place, _programs[place].Instructions[_clocks[place].Next])
                )
                {
                    _clocks[place].Next++;
                    moved = true;
                }
            moved |= Together(Op.Norm) | Together(Op.ReduceTied);
        }
        for (int place = 0; place < _programs.Length; place++)
            if (_clocks[place].Next < _programs[place].Instructions.Count)
                throw new InvalidOperationException(
                    $"rank {_programs[place].Rank} waits for ever at instruction {_clocks[place].Next}: {_programs[place].Instructions[_clocks[place].Next]}"
                );
        return new PipelineTimeline(_intervals, _clocks.Max(clock => clock.Passes));
    }

    /// <summary>Runs one instruction; false where the rank has to wait for another.</summary>
    private bool Step(int place, Instruction at)
    {
        switch (at.Op)
        {
            case Op.Forward or Op.Backward or Op.BackwardInput or Op.BackwardWeight:
                return Pass(place, at);
            case Op.ReceiveActivation or Op.ReceiveGradient:
                _arrivals.TryAdd((_programs[place].Rank, at.Block, at.Microbatch, at.Op == Op.ReceiveGradient), double.PositiveInfinity);
                return true;
            case Op.SendActivation:
                _arrivals[(at.Peer, at.Block + 1, at.Microbatch, false)] = Post(place, at, _costs.Transfer);
                return true;
            case Op.SendGradient:
                _arrivals[(at.Peer, at.Block - 1, at.Microbatch, true)] = Post(place, at, _costs.Transfer);
                return true;
            case Op.GatherParameters:
                _clocks[place].Gathered[at.Block] = Post(place, at, _costs.Gather(at.Block));
                return true;
            case Op.GatherUpdated:
                Post(place, at, _costs.Gather(at.Block));
                return true;
            case Op.ReduceGradients:
                Post(place, at, _costs.Reduce(at.Block));
                return true;
            case Op.Update:
                Compute(place, at, _clocks[place].Compute);
                return true;
            default:
                return at.Op is not (Op.Norm or Op.ReduceTied);
        }
    }

    private bool Pass(int place, Instruction at)
    {
        var clock = _clocks[place];
        double start = clock.Compute;
        if (at.Op != Op.BackwardWeight)
        {
            if (_arrivals.TryGetValue((_programs[place].Rank, at.Block, at.Microbatch, at.Op != Op.Forward), out double arrival))
            {
                if (double.IsPositiveInfinity(arrival))
                    return false;
                start = Math.Max(start, arrival);
            }
            if (clock.Gathered.TryGetValue(at.Block, out double gathered))
                start = Math.Max(start, gathered);
        }
        Compute(place, at, start);
        clock.Passes = clock.Compute;
        return true;
    }

    private void Compute(int place, Instruction at, double start)
    {
        double end = start + _costs.Of(at);
        _clocks[place].Compute = end;
        _intervals.Add(new Interval(_programs[place].Rank, Lane.Compute, at, start, end));
    }

    private double Post(int place, Instruction at, double seconds)
    {
        var clock = _clocks[place];
        double start = Math.Max(clock.Compute, clock.Communication);
        clock.Communication = start + seconds;
        if (seconds > 0)
            _intervals.Add(new Interval(_programs[place].Rank, Lane.Communication, at, start, start + seconds));
        return clock.Communication;
    }

    /// <summary>Lets all ranks that take part in an operation through, once all of them stand at it; the latest says when.</summary>
    private bool Together(Op op)
    {
        int[] standing = Enumerable.Range(0, _programs.Length).Where(place => StandsAt(place, op)).ToArray();
        if (standing.Length < (op == Op.Norm ? _programs.Length : 2))
            return false;
        double start = standing.Max(place => Math.Max(_clocks[place].Compute, _clocks[place].Communication));
        foreach (int place in standing)
        {
            double end = op == Op.Norm ? start : start + _costs.Reduce(_programs[place].Instructions[_clocks[place].Next].Block);
            if (op == Op.Norm)
                _clocks[place].Compute = end;
            _clocks[place].Communication = end;
            _clocks[place].Next++;
        }
        return true;
    }

    private bool StandsAt(int place, Op op)
    {
        int next = _clocks[place].Next;
        return next < _programs[place].Instructions.Count && _programs[place].Instructions[next].Op == op;
    }
}
