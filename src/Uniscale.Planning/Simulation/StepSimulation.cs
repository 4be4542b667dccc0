using Uniscale.Planning.Costs;

namespace Uniscale.Planning.Simulation;

/// <summary>
/// Runs the programs of all ranks in time, one rank of each class. A rank has a compute lane and one lane each for sends up, sends down,
/// and collectives of gradients and
/// parameters; what is posted runs beside computation where the stack can, else computation waits for it. A collective runs once all
/// classes in its group have posted it.
/// </summary>
internal sealed class StepSimulation
{
    private readonly StepSpecification _spec;
    private readonly InstructionCosts _costs;
    private readonly IReadOnlyList<RankClass> _classes;
    private readonly Clock[] _clocks;
    private readonly Dictionary<(int Class, int Block, int Microbatch, bool Gradient), double> _arrivals = [];
    private readonly Dictionary<Meeting, Posted> _meetings = [];
    private readonly List<Interval>? _intervals;

    public StepSimulation(
        StepSpecification spec,
        InstructionCosts costs,
        IReadOnlyList<RankClass> classes,
        ProgramGenerator generator,
        bool withIntervals
    )
    {
        (_spec, _costs, _classes) = (spec, costs, classes);
        _clocks = classes.Select(at => new Clock(generator.Generate(at.Rank).Instructions)).ToArray();
        _intervals = withIntervals ? [] : null;
    }

    /// <summary>
    /// What a collective is known by among those who take part: its kind, its group's classes, and how many of that kind came before.
    /// </summary>
    private readonly record struct Meeting(Op Op, int Group, int Block, int Number);

    /// <summary>A collective that is posted, and when it is over once that is certain.</summary>
    private sealed class Posted(int waitingFor)
    {
        public int WaitingFor { get; set; } = waitingFor;

        /// <summary>Whether other classes take part.</summary>
        public bool IsShared { get; } = waitingFor > 0;

        public double Start { get; set; }

        public double End { get; set; } = double.NaN;
    }

    /// <summary>Where a class is in its program and in time.</summary>
    private sealed class Clock(IReadOnlyList<Instruction> program)
    {
        public IReadOnlyList<Instruction> Program { get; } = program;
        public int Next { get; set; }
        public double Compute { get; set; }
        public double SendUp { get; set; }
        public double SendDown { get; set; }
        public double Collectives { get; set; }
        public double Passes { get; set; }
        public int PassesBegun { get; set; }
        public int PassesDone { get; set; }
        public PassSeconds Work { get; set; }
        public double Updates { get; set; }
        public double ExposedReduction { get; set; }
        public double WaitedForParameters { get; set; }
        public double WaitedForStages { get; set; }
        public double BlockedBySends { get; set; }
        public List<Posted> Pending { get; } = [];
        public List<Instruction> Deferred { get; } = [];
        public Dictionary<int, Posted> Gathered { get; } = [];
        public Dictionary<(Op, int), int> Numbers { get; } = [];
    }

    /// <summary>Simulates the step.</summary>
    /// <exception cref="InvalidOperationException">The programs wait for each other for ever.</exception>
    public StepTimes Run()
    {
        for (bool moved = true; moved;)
        {
            moved = false;
            for (int place = 0; place < _clocks.Length; place++)
                while (_clocks[place].Next < _clocks[place].Program.Count && Step(place, _clocks[place].Program[_clocks[place].Next]))
                {
                    _clocks[place].Next++;
                    moved = true;
                }
            moved |= NormTogether();
        }
        for (int place = 0; place < _clocks.Length; place++)
            if (_clocks[place].Next < _clocks[place].Program.Count)
                throw new InvalidOperationException(
                    $"rank {_classes[place].Rank} waits for ever at instruction {_clocks[place].Next}: {_clocks[place].Program[_clocks[place].Next]}"
                );
        double end = _clocks.Max(clock => Math.Max(clock.Compute, clock.Collectives)) + _costs.Stack.Constants.StepOverhead;
        return new StepTimes(end, _classes.Select((at, place) => TimesOf(at, _clocks[place], end)).ToArray(), _intervals);
    }

    private static ClassTimes TimesOf(RankClass at, Clock clock, double end) =>
        new(
            at,
            clock.Work,
            clock.Updates,
            clock.ExposedReduction,
            clock.WaitedForParameters,
            clock.WaitedForStages + clock.BlockedBySends,
            end,
            clock.Passes
        );

    /// <summary>Runs one instruction; false where the rank has to wait for another.</summary>
    private bool Step(int place, Instruction at)
    {
        var clock = _clocks[place];
        switch (at.Op)
        {
            case Op.Forward or Op.Backward or Op.BackwardInput or Op.BackwardWeight:
                return Pass(place, at);
            case Op.ReceiveActivation or Op.ReceiveGradient:
                _arrivals.TryAdd((place, at.Block, at.Microbatch, at.Op == Op.ReceiveGradient), double.PositiveInfinity);
                return true;
            case Op.SendActivation or Op.SendGradient:
                Send(place, at);
                return true;
            case Op.GatherParameters:
                clock.Gathered[at.Block] = Post(place, at, _costs.Gather(at.Block, _classes[place].Places.Shards));
                return true;
            case Op.GatherUpdated:
                clock.Pending.Add(Post(place, at, _costs.Gather(at.Block, _classes[place].Places.Shards)));
                return true;
            case Op.ReduceGradients:
                return Reduce(place, at);
            case Op.ReduceTied:
                clock.Pending.Add(Post(place, at, _costs.ReduceTied(at.Block, _classes[place].Places.Tied)));
                return true;
            case Op.Update:
                double seconds = _costs.Update(at.Block);
                clock.Updates += seconds;
                Compute(place, at, clock.Compute, seconds);
                return true;
            default:
                return at.Op != Op.Norm;
        }
    }

    private bool Pass(int place, Instruction at)
    {
        var clock = _clocks[place];
        double start = clock.Compute;
        if (at.Op != Op.BackwardWeight)
        {
            if (_arrivals.TryGetValue((place, at.Block, at.Microbatch, at.Op != Op.Forward), out double arrival))
            {
                if (double.IsPositiveInfinity(arrival))
                    return false;
                clock.WaitedForStages += Math.Max(0, arrival - start);
                start = Math.Max(start, arrival);
            }
            if (clock.Gathered.TryGetValue(at.Block, out var gathered))
            {
                if (double.IsNaN(gathered.End))
                    return false;
                clock.WaitedForParameters += Math.Max(0, gathered.End - start);
                start = Math.Max(start, gathered.End);
            }
            if (!Lockstep(place, at, ref start))
                return false;
        }
        var seconds = _costs.Of(at);
        clock.Work += seconds;
        Compute(place, at, start, seconds.Total);
        clock.Passes = clock.Compute;
        return true;
    }

    /// <summary>Ranks that split a pass over tensor and context axes go through it together; nearly always they are one class.</summary>
    private bool Lockstep(int place, Instruction at, ref double start)
    {
        int[] group = _classes[place].Groups.Lockstep;
        if (group.Length <= 1)
            return true;
        var clock = _clocks[place];
        var meeting = new Meeting(Op.Forward, GroupId(group), -1, clock.PassesDone);
        // A rank that looks again after it had to wait is not counted twice.
        if (clock.PassesBegun == clock.PassesDone)
        {
            clock.PassesBegun++;
            Arrive(meeting, group.Length, start, 0);
        }
        var posted = _meetings[meeting];
        if (double.IsNaN(posted.End))
            return false;
        clock.PassesDone++;
        clock.WaitedForStages += Math.Max(0, posted.End - start);
        start = Math.Max(start, posted.End);
        return true;
    }

    private void Send(int place, Instruction at)
    {
        var clock = _clocks[place];
        bool gradient = at.Op == Op.SendGradient;
        int peer = _classes[place].ClassOfStage[_spec.Mesh.CoordinateOf(at.Peer).Pipeline];
        // Chunks send from the last stage to the first, so the direction says which neighbour it is.
        double seconds = _costs.Links.Send(
            _costs.BoundaryBytes,
            gradient ? _classes[place].Places.ToPrevious : _classes[place].Places.ToNext
        );
        double start = Math.Max(clock.Compute, gradient ? clock.SendDown : clock.SendUp);
        double end = start + seconds;
        if (gradient)
            clock.SendDown = end;
        else
            clock.SendUp = end;
        _arrivals[(peer, gradient ? at.Block - 1 : at.Block + 1, at.Microbatch, gradient)] = end;
        Note(place, Lane.Communication, at, start, end);
        if (_costs.Stack.OverlapSends)
            return;
        clock.BlockedBySends += end - clock.Compute;
        clock.Compute = end;
    }

    /// <summary>Posts a reduction, puts it off to the end, or lets the computation wait for it.</summary>
    private bool Reduce(int place, Instruction at)
    {
        var clock = _clocks[place];
        if (!_costs.Stack.OverlapGradients && at.Microbatch < 0)
        {
            clock.Deferred.Add(at);
            return true;
        }
        clock.Pending.Add(Post(place, at, ReduceSeconds(place, at)));
        return true;
    }

    private double ReduceSeconds(int place, Instruction at)
    {
        bool last = at.Microbatch < 0 || at.Microbatch == _spec.Microbatches - 1;
        var places = _classes[place].Places;
        return _costs.Reduce(at.Block, last, places.Shards, _spec.Sharding == 0 ? places.Replicas : places.ShardReplicas);
    }

    private Posted Post(int place, Instruction at, double seconds)
    {
        var clock = _clocks[place];
        var groups = _classes[place].Groups;
        int[] group = at.Op switch
        {
            Op.ReduceTied => groups.Tied,
            Op.ReduceGradients => groups.Replicas,
            _ => groups.Shards,
        };
        double start = Math.Max(clock.Compute, clock.Collectives);
        if (group.Length <= 1)
        {
            var alone = new Posted(0) { Start = start, End = start + seconds };
            clock.Collectives = alone.End;
            Note(place, Lane.Communication, at, start, alone.End);
            return alone;
        }
        int block = at.Op == Op.ReduceTied ? 0 : at.Block;
        int number = clock.Numbers.GetValueOrDefault((at.Op, block));
        clock.Numbers[(at.Op, block)] = number + 1;
        var posted = Arrive(new Meeting(at.Op, GroupId(group), block, number), group.Length, start, seconds);
        // Not certain before all are there; what follows in the lane can begin no earlier than this.
        clock.Collectives = double.IsNaN(posted.End) ? start + seconds : posted.End;
        return posted;
    }

    private Posted Arrive(Meeting meeting, int members, double start, double seconds)
    {
        if (!_meetings.TryGetValue(meeting, out var posted))
            _meetings[meeting] = posted = new Posted(members);
        posted.Start = Math.Max(posted.Start, start);
        if (--posted.WaitingFor == 0)
            posted.End = posted.Start + seconds;
        return posted;
    }

    private readonly Dictionary<string, int> _groupIds = [];

    private int GroupId(int[] classes)
    {
        string text = string.Join(',', classes);
        return _groupIds.TryGetValue(text, out int id) ? id : _groupIds[text] = _groupIds.Count;
    }

    /// <summary>Lets all ranks through their norm once all stand at it and all that they posted is over; the latest says when.</summary>
    private bool NormTogether()
    {
        foreach (var clock in _clocks)
            if (clock.Next >= clock.Program.Count || clock.Program[clock.Next].Op != Op.Norm)
                return false;
        for (int place = 0; place < _clocks.Length; place++)
        {
            foreach (var at in _clocks[place].Deferred)
                _clocks[place].Pending.Add(Post(place, at, ReduceSeconds(place, at)));
            _clocks[place].Deferred.Clear();
        }
        double start = 0;
        foreach (var clock in _clocks)
        {
            double end = clock.Compute,
                others = clock.Compute;
            foreach (var posted in clock.Pending)
            {
                end = Math.Max(end, double.IsNaN(posted.End) ? posted.Start : posted.End);
                if (posted.IsShared)
                    others = Math.Max(others, posted.Start);
            }
            // Until the last of the other stages has posted its part this one waits; only then it reduces.
            clock.WaitedForStages += others - clock.Compute;
            clock.ExposedReduction += end - others;
            clock.Compute = end;
            clock.Pending.Clear();
            start = Math.Max(start, end);
        }
        foreach (var clock in _clocks)
        {
            clock.WaitedForStages += start - clock.Compute;
            clock.Compute = clock.Collectives = start;
            clock.Next++;
        }
        return true;
    }

    private void Compute(int place, Instruction at, double start, double seconds)
    {
        _clocks[place].Compute = start + seconds;
        Note(place, Lane.Compute, at, start, start + seconds);
    }

    private void Note(int place, Lane lane, Instruction at, double start, double end)
    {
        if (end > start)
            _intervals?.Add(new Interval(_classes[place].Rank, lane, at, start, end));
    }
}
