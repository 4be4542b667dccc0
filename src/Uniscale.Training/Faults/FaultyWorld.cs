using Uniscale.Collectives;
using Uniscale.Collectives.Journal;
using Uniscale.Collectives.Messages;
using Uniscale.Collectives.Nccl;

namespace Uniscale.Training.Faults;

/// <summary>
/// A world whose reductions over all ranks call the injector: the one place where every rank of every layout communicates in every step.
/// What hosts gather within a step are the answers that its ranks have drawn.
/// </summary>
/// <param name="inner">The world; not owned.</param>
/// <param name="faults">Is asked at each reduction over all ranks.</param>
internal sealed class FaultyWorld(IWorld inner, FaultInjector faults) : IWorld
{
    public int Rank => inner.Rank;

    public int Size => inner.Size;

    public IProcessGroup Group { get; } = new FaultyGroup(inner.Group, faults);

    public IProcessGroup HostGroup { get; } = new GatheringGroup(inner.HostGroup, faults);

    public DeviceStaging? Staging => inner.Staging;

    public IMessages Messages => inner.Messages;

    public CollectiveJournal Journal => inner.Journal;

    public string? Failure => inner.Failure;

    public IProcessGroup? CreateGroup(IReadOnlyList<int> worldRanks, string name) => inner.CreateGroup(worldRanks, name);

    public void Abort(string reason) => inner.Abort(reason);

    public void Dispose()
    {
        // The world belongs to its launcher.
    }

    private sealed class GatheringGroup(IProcessGroup group, FaultInjector faults) : FaultyGroup(group, faults)
    {
        public override IWork AllReduce(CommBuffer buffer, ReduceOp op = ReduceOp.Sum) => Inner.AllReduce(buffer, op);

        public override IWork AllGather(CommBuffer input, CommBuffer output)
        {
            Faults.BeforeExchange();
            return Inner.AllGather(input, output);
        }
    }

    private class FaultyGroup(IProcessGroup group, FaultInjector faults) : IProcessGroup
    {
        protected IProcessGroup Inner => group;

        protected FaultInjector Faults => faults;

        public string Name => group.Name;

        public int Rank => group.Rank;

        public int Size => group.Size;

        public IReadOnlyList<int> WorldRanks => group.WorldRanks;

        public virtual IWork AllReduce(CommBuffer buffer, ReduceOp op = ReduceOp.Sum)
        {
            if (faults.BeforeCollective())
                return group.Barrier();
            var work = group.AllReduce(buffer, op);
            faults.InCollective();
            return work;
        }

        public IWork ReduceScatter(CommBuffer input, CommBuffer output, ReduceOp op = ReduceOp.Sum) =>
            group.ReduceScatter(input, output, op);

        public virtual IWork AllGather(CommBuffer input, CommBuffer output) => group.AllGather(input, output);

        public IWork Broadcast(CommBuffer buffer, int root) => group.Broadcast(buffer, root);

        public IWork AllToAll(CommBuffer input, CommBuffer output) => group.AllToAll(input, output);

        public IWork Send(CommBuffer buffer, int peer, int tag = 0) => group.Send(buffer, peer, tag);

        public IWork Receive(CommBuffer buffer, int peer, int tag = 0) => group.Receive(buffer, peer, tag);

        public IWork Barrier() => group.Barrier();

        public void Dispose()
        {
            // The group belongs to the world.
        }
    }
}
