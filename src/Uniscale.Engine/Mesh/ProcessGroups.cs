using Uniscale.Collectives;
using Uniscale.Programs;

namespace Uniscale.Engine.Mesh;

/// <summary>The groups in which one rank communicates. Groups of one member are made too, so that no caller has to ask.</summary>
public sealed class ProcessGroups : IDisposable
{
    private readonly IWorld _world;
    private readonly Func<IProcessGroup, IProcessGroup> _wrap;
    private readonly List<IProcessGroup> _made = [];

    private ProcessGroups(IWorld world, StepSpecification specification, Func<IProcessGroup, IProcessGroup> wrap)
    {
        (_world, _wrap) = (world, wrap);
        var ranks = Enumerable.Range(0, world.Size).Select(rank => RankGroups.Of(specification, rank)).ToArray();
        Coordinate = specification.Mesh.CoordinateOf(world.Rank);
        World = wrap(world.Group);
        Tensor = Make(Letters(Axis.Tensor), rank => ranks[rank].Tensor)!;
        Context = Make(Letters(Axis.Context), rank => ranks[rank].Context)!;
        Pipeline = Make(Letters(Axis.Pipeline), rank => ranks[rank].Pipeline)!;
        Common = new ReplicaGroups(
            Make(string.Join('×', MeshAxis.OfReplicas.Select(Letters)), rank => ranks[rank].Replicas)!,
            Make("zero", rank => ranks[rank].Shards)!,
            Make("zero-replicas", rank => ranks[rank].ShardReplicas)!
        );
        Tied = Make("tied", rank => ranks[rank].Tied);
        int holders = Math.Max(1, specification.Mesh.Tensor / specification.Model.KvHeads);
        KvReplicas = Make("kv", rank => [.. ranks[rank].Tensor.Chunk(holders).Single(part => part.Contains(rank))])!;
    }

    /// <summary>This rank's place in the mesh.</summary>
    public Coordinate Coordinate { get; }

    /// <summary>All ranks.</summary>
    public IProcessGroup World { get; }

    /// <summary>Ranks that split the matrices.</summary>
    public IProcessGroup Tensor { get; }

    /// <summary>Ranks that split the sequence.</summary>
    public IProcessGroup Context { get; }

    /// <summary>Ranks of the tensor group that hold the same key-value head.</summary>
    public IProcessGroup KvReplicas { get; }

    /// <summary>Stages, in order.</summary>
    public IProcessGroup Pipeline { get; }

    /// <summary>Groups of every bucket that has none of its own (<see cref="CreateReplicas"/>).</summary>
    public ReplicaGroups Common { get; }

    /// <summary>Data × context: ranks whose gradients are summed.</summary>
    public IProcessGroup Replicas => Common.Replicas;

    /// <summary>The two holders of a tied embedding; null on other ranks, and where one rank holds both ends.</summary>
    public IProcessGroup? Tied { get; }

    /// <summary>Makes this rank's groups. Every rank of the world calls it with the same layout.</summary>
    /// <param name="world">The job.</param>
    /// <param name="specification">The layout.</param>
    /// <param name="wrap">Puts something around each group, e.g. a recorder; null: nothing.</param>
    public static ProcessGroups Create(IWorld world, StepSpecification specification, Func<IProcessGroup, IProcessGroup>? wrap = null)
    {
        if (specification.Mesh.Size != world.Size)
            throw new ArgumentException(
                $"The layout needs {specification.Mesh.Size} ranks, this job has {world.Size}.",
                nameof(specification)
            );
        return new ProcessGroups(world, specification, wrap ?? (group => group));
    }

    /// <summary>
    /// Groups for buckets that lie on other ranks than their layout's replicas, as experts do that are spread over them. Every rank of the
    /// world calls it
    /// alike. The groups are this object's.
    /// </summary>
    /// <param name="name">Begins the names of the groups in journals.</param>
    /// <param name="replicasOf">For each rank of the world, those that hold the same parameters; among the replicas that its layout
    /// has.</param>
    /// <param name="shards">Members that share one copy of sharded state; a divisor of their number.</param>
    public ReplicaGroups CreateReplicas(string name, Func<int, IReadOnlyList<int>> replicasOf, int shards = 1)
    {
        var ranks = Enumerable.Range(0, _world.Size).Select(rank => ReplicaRanks.Of(replicasOf(rank), rank, shards)).ToArray();
        return new ReplicaGroups(
            Make(name, rank => ranks[rank].Replicas)!,
            Make($"{name}-zero", rank => ranks[rank].Shards)!,
            Make($"{name}-zero-replicas", rank => ranks[rank].ShardReplicas)!
        );
    }

    /// <summary>Frees the groups, not the world's.</summary>
    public void Dispose()
    {
        foreach (var group in _made)
            group.Dispose();
    }

    private static string Letters(Axis axis) => MeshAxis.Of(axis).Letters;

    /// <summary>Makes the groups of a kind; all ranks make all of them in the same order. Null where this rank is in none.</summary>
    private IProcessGroup? Make(string name, Func<int, IReadOnlyList<int>> membersOf)
    {
        IProcessGroup? mine = null;
        for (int rank = 0; rank < _world.Size; rank++)
        {
            var members = membersOf(rank);
            if (members.Count == 0 || members.Min() != rank)
                continue;
            mine = _world.CreateGroup(members, name) ?? mine;
        }
        if (mine is null)
            return null;
        _made.Add(mine);
        return _wrap(mine);
    }
}
