namespace Uniscale.Programs.Checking;

/// <summary>
/// Runs the programs of all ranks against each other with nothing but their order. A receive is posted and never waits. A send
/// stands still until its receive is posted. A pass stands still until what it receives is sent, and until all ranks that go through
/// it in lockstep (tensor, context) are there. A collective stands still until all members of its group are there. Whoever cannot go on is
/// woken
/// when what it waits for happens, so the run takes time proportional to the number of instructions.
/// </summary>
internal sealed class StrictWorld
{
    private readonly CheckedLayout _layout;
    private readonly StepSpecification _spec;
    private readonly StepProgram[] _programs;
    private readonly List<Violation> _violations;
    private readonly Meeting _meeting;
    private readonly Dictionary<(int From, int To, bool Gradient), Queue<(int Block, int Microbatch, int Index)>> _posted = [];
    private readonly HashSet<(int Block, int Microbatch, bool Gradient)>[] _arrived;
    private readonly int[] _stages;
    private readonly int[] _next;
    private readonly bool[] _broken;
    private readonly bool[] _queued;
    private readonly Stack<int> _runnable = new();

    public StrictWorld(CheckedLayout layout, StepProgram[] programs, List<Violation> violations)
    {
        (_layout, _spec, _programs, _violations) = (layout, layout.Spec, programs, violations);
        _meeting = new Meeting(_spec);
        _stages = Array.ConvertAll(programs, program => _spec.Mesh.CoordinateOf(program.Rank).Pipeline);
        _next = new int[programs.Length];
        _broken = new bool[programs.Length];
        _queued = new bool[programs.Length];
        _arrived = Array.ConvertAll(programs, _ => new HashSet<(int, int, bool)>());
    }

    public void Run()
    {
        for (int rank = _programs.Length - 1; rank >= 0; rank--)
            Wake(rank);
        while (_runnable.TryPop(out int rank))
        {
            _queued[rank] = false;
            while (
                !_broken[rank] && _next[rank] < _programs[rank].Instructions.Count && Step(rank, _programs[rank].Instructions[_next[rank]])
            )
                _next[rank]++;
        }
        ReportStuck();
        ReportUnmet();
    }

    /// <summary>Runs one instruction; false where the rank has to wait.</summary>
    private bool Step(int rank, Instruction at) =>
        at.Op switch
        {
            Op.ReceiveActivation or Op.ReceiveGradient => Post(rank, at),
            Op.SendActivation or Op.SendGradient => Send(rank, at),
            Op.Forward or Op.Backward or Op.BackwardInput => HasArrived(rank, at) && Meet(rank, at),
            Op.Load or Op.ReleaseParameters or Op.Update => true,
            _ => Meet(rank, at),
        };

    private bool Post(int rank, Instruction at)
    {
        if (at.Peer < 0 || at.Peer >= _programs.Length)
            return true;
        PostedFor(at.Peer, rank, at.Op == Op.ReceiveGradient).Enqueue((at.Block, at.Microbatch, _next[rank]));
        Wake(at.Peer);
        return true;
    }

    private bool Send(int rank, Instruction at)
    {
        if (at.Peer < 0 || at.Peer >= _programs.Length)
            return true;
        bool gradient = at.Op == Op.SendGradient;
        if (!PostedFor(rank, at.Peer, gradient).TryDequeue(out var receive))
            return false;
        int meant = gradient ? at.Block - 1 : at.Block + 1;
        if (receive.Block != meant || receive.Microbatch != at.Microbatch)
        {
            Fail(
                rank,
                $"{at} meets {_programs[at.Peer].Instructions[receive.Index]} (instruction {receive.Index} of rank {at.Peer}): wrong order"
            );
            _broken[rank] = true;
            return false;
        }
        _arrived[at.Peer].Add((receive.Block, receive.Microbatch, gradient));
        Wake(at.Peer);
        return true;
    }

    private bool HasArrived(int rank, Instruction at)
    {
        bool gradient = at.Op != Op.Forward;
        int neighbour = gradient ? at.Block + 1 : at.Block - 1;
        if (at.Block < 0 || neighbour < 0 || neighbour >= _spec.Model.BlockCount)
            return true;
        if (_layout.StageOf(neighbour) == _stages[rank])
            return true;
        return _arrived[rank].Contains((at.Block, at.Microbatch, gradient));
    }

    private bool Meet(int rank, Instruction at)
    {
        switch (_meeting.Arrive(rank, _next[rank], at, out var other))
        {
            case Arrival.Completed:
                foreach (int member in _meeting.MembersOf(rank, at.Op))
                    Wake(member);
                return true;
            case Arrival.Passed:
                return true;
            case Arrival.Mismatch:
                Fail(
                    rank,
                    $"{at} stands against {_programs[other.Rank].Instructions[other.Index]} (instruction {other.Index} of rank {other.Rank}) in their group: wrong order"
                );
                _broken[rank] = true;
                return false;
            default:
                return false;
        }
    }

    /// <summary>Receives that are posted for the sends of a rank to another, of one kind.</summary>
    private Queue<(int Block, int Microbatch, int Index)> PostedFor(int from, int to, bool gradient)
    {
        if (_posted.TryGetValue((from, to, gradient), out var posted))
            return posted;
        return _posted[(from, to, gradient)] = new();
    }

    private void Wake(int rank)
    {
        if (_queued[rank])
            return;
        _queued[rank] = true;
        _runnable.Push(rank);
    }

    private void ReportStuck()
    {
        for (int rank = 0; rank < _programs.Length; rank++)
        {
            if (_broken[rank] || _next[rank] >= _programs[rank].Instructions.Count)
                continue;
            var at = _programs[rank].Instructions[_next[rank]];
            Fail(
                rank,
                at.Op is Op.SendActivation or Op.SendGradient
                    ? $"deadlock: {at} waits for a receive that is never posted"
                    : $"deadlock: {at} waits for ever, for what it receives or for its group"
            );
        }
    }

    private void ReportUnmet()
    {
        foreach (var ((from, to, _), posted) in _posted)
            foreach (var (_, _, index) in posted)
                Fail(to, index, $"{_programs[to].Instructions[index]} is met by no send of rank {from}");
    }

    private void Fail(int rank, string reason) => Fail(rank, _next[rank], reason);

    private void Fail(int rank, int index, string reason)
    {
        if (_violations.Count < ProgramChecker.ReportedAtMost)
            _violations.Add(new Violation(rank, index, reason));
    }
}
