namespace Uniscale.Programs.Checking;

/// <summary>How an arrival at a collective went.</summary>
internal enum Arrival
{
    /// <summary>Nobody to wait for, or all others were there already.</summary>
    Passed,

    /// <summary>The last member arrived: the others may go on.</summary>
    Completed,

    /// <summary>Members are missing.</summary>
    Waiting,

    /// <summary>A member stands at another collective.</summary>
    Mismatch,
}

/// <summary>Where the members of each group of a layout wait for each other.</summary>
internal sealed class Meeting
{
    private readonly StepSpecification _spec;
    private readonly Group[] _lockstep;
    private readonly Group[] _replicas;
    private readonly Group[] _shards;
    private readonly Group[] _shardReplicas;
    private readonly Group[] _tied;
    private readonly Group _world;

    /// <summary>Round that a rank waits for the end of; −1 where it does not wait.</summary>
    private readonly int[] _waitsForRound;

    public Meeting(StepSpecification spec)
    {
        _spec = spec;
        int size = spec.Mesh.Size;
        var groups = Enumerable.Range(0, size).Select(rank => RankGroups.Of(spec, rank)).ToArray();
        _lockstep = Share(groups, g => g.Lockstep);
        _replicas = Share(groups, g => g.Replicas);
        _shards = Share(groups, g => g.Shards);
        _shardReplicas = Share(groups, g => g.ShardReplicas);
        _tied = Share(groups, g => g.Tied);
        _world = new Group(Enumerable.Range(0, size).ToArray());
        _waitsForRound = new int[size];
        Array.Fill(_waitsForRound, -1);
    }

    /// <summary>A group and the collective at which its members are arriving.</summary>
    private sealed class Group(IReadOnlyList<int> members)
    {
        public IReadOnlyList<int> Members { get; } = members;

        public int Arrived { get; set; }

        public int Round { get; set; }

        public (Op Op, int Block, int Microbatch) Collective { get; set; }

        public (int Rank, int Index) First { get; set; }
    }

    /// <summary>A rank arrives at an instruction, or looks again whether it may go on.</summary>
    /// <param name="rank">World rank.</param>
    /// <param name="index">Place of the instruction in its program.</param>
    /// <param name="at">The instruction.</param>
    /// <param name="other">Rank and place of the member that it stands against, for a mismatch.</param>
    public Arrival Arrive(int rank, int index, Instruction at, out (int Rank, int Index) other)
    {
        var group = GroupOf(rank, at.Op);
        other = group.First;
        if (group.Members.Count <= 1)
            return Arrival.Passed;
        if (_waitsForRound[rank] >= 0)
        {
            if (group.Round == _waitsForRound[rank])
                return Arrival.Waiting;
            _waitsForRound[rank] = -1;
            return Arrival.Passed;
        }
        var collective = at.Op == Op.ReduceTied ? (at.Op, 0, -1) : (at.Op, at.Block, at.Microbatch);
        if (group.Arrived == 0)
            (group.Collective, group.First) = (collective, (rank, index));
        else if (group.Collective != collective)
            return Arrival.Mismatch;
        if (++group.Arrived < group.Members.Count)
        {
            _waitsForRound[rank] = group.Round;
            return Arrival.Waiting;
        }
        group.Arrived = 0;
        group.Round++;
        return Arrival.Completed;
    }

    /// <summary>Members of the group in which a rank carries out an operation.</summary>
    public IReadOnlyList<int> MembersOf(int rank, Op op) => GroupOf(rank, op).Members;

    private Group GroupOf(int rank, Op op) =>
        op switch
        {
            Op.CountTokens or Op.ReduceGradients => _replicas[rank],
            Op.GatherParameters or Op.GatherUpdated => _shards[rank],
            Op.ReduceTied => _tied[rank],
            Op.Checksum => (_spec.Sharding == 3 ? _shardReplicas : _replicas)[rank],
            Op.Norm or Op.SumLoss => _world,
            _ => _lockstep[rank],
        };

    /// <summary>One object for each group of a kind, shared by its members.</summary>
    private static Group[] Share(RankGroups[] groups, Func<RankGroups, IReadOnlyList<int>> kind)
    {
        var shared = new Group?[groups.Length];
        var alone = new Group([]);
        for (int rank = 0; rank < groups.Length; rank++)
        {
            if (shared[rank] is not null)
                continue;
            var members = kind(groups[rank]);
            var group = members.Count == 0 ? alone : new Group(members);
            shared[rank] = group;
            foreach (int member in members)
                shared[member] = group;
        }
        return shared!;
    }
}
