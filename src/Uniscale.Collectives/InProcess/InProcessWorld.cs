using Uniscale.Collectives.Journal;
using Uniscale.Collectives.Messages;

namespace Uniscale.Collectives.InProcess;

/// <summary>A world whose ranks are threads of this process: collectives are memory copies and vectorised sums.</summary>
public sealed class InProcessWorld : IWorld
{
    private readonly InProcessFabric _fabric;
    private int _groupsMade = 1;

    private InProcessWorld(InProcessFabric fabric, int rank)
    {
        _fabric = fabric;
        Rank = rank;
        Group = new InProcessGroup(fabric.World, rank, Journal);
        Messages = new InProcessMessages(fabric.Inboxes, rank);
    }

    /// <inheritdoc/>
    public int Rank { get; }

    /// <inheritdoc/>
    public int Size => _fabric.Size;

    /// <inheritdoc/>
    public IProcessGroup Group { get; }

    /// <inheritdoc/>
    public IMessages Messages { get; }

    /// <inheritdoc/>
    public CollectiveJournal Journal { get; } = new();

    /// <inheritdoc/>
    public string? Failure => _fabric.Failure;

    /// <summary>
    /// Makes a world of <paramref name="size"/> ranks; element i is given to the thread that is rank i, which disposes it at its end.
    /// </summary>
    /// <param name="size">Number of ranks.</param>
    /// <param name="hasThreads">
    /// Threads move data while the ranks compute; otherwise a rank does so when it waits. By default where there are more processors than
    /// ranks:
    /// on a processor that a rank computes on, such a thread only takes its time.
    /// </param>
    public static IWorld[] Create(int size, bool? hasThreads = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        var fabric = new InProcessFabric(size, hasThreads ?? Environment.ProcessorCount > size);
        return [.. Enumerable.Range(0, size).Select(rank => new InProcessWorld(fabric, rank))];
    }

    /// <inheritdoc/>
    public IProcessGroup? CreateGroup(IReadOnlyList<int> worldRanks, string name)
    {
        GroupRules.Check(worldRanks, Size, name);
        var state = _fabric.GroupAt(_groupsMade++, Rank, [.. worldRanks], ProcessGroup.NameOf(name, worldRanks));
        int member = worldRanks.ToList().IndexOf(Rank);
        return member < 0 ? null : new InProcessGroup(state, member, Journal);
    }

    /// <inheritdoc/>
    public void Abort(string reason) => _fabric.Fail($"rank {Rank} aborted the job: {reason}");

    /// <inheritdoc/>
    public void Dispose()
    {
        _fabric.Leave(Rank);
        Journal.Dispose();
    }

    private sealed class InProcessGroup(GroupState state, int member, CollectiveJournal journal)
        : ProcessGroup(state.Name, member, state.WorldRanks)
    {
        protected override IWork Post(in OperationSignature signature, CommBuffer input, CommBuffer output) =>
            signature.IsMessage
                ? state.PostMessage(Rank, signature, input, journal)
                : state.PostCollective(Rank, signature, input, output, journal);

        public override SharedMemory Share(long bytes) => state.Shared.Open(Rank, bytes);

        public override void Dispose()
        {
            // The members' meeting place lives as long as the world.
        }
    }
}
