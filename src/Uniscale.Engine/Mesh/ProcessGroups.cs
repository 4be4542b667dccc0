using Uniscale.Collectives;
using Uniscale.Programs;

namespace Uniscale.Engine.Mesh;

/// <summary>The groups in which one rank communicates. Groups of one member are made too, so that no caller has to ask.</summary>
public sealed class ProcessGroups : IDisposable
{
    private readonly List<IProcessGroup> _made = [];

    private ProcessGroups(IWorld world, StepSpecification specification, Func<IProcessGroup, IProcessGroup> wrap)
    {
        // Without sharding every replica holds all: the shard group is the rank itself, and the holders of its "shard" are all replicas.
        var layout = specification.Sharding == 0 ? specification with { ZeroGroup = 1 } : specification;
        var ranks = Enumerable.Range(0, world.Size).Select(rank => RankGroups.Of(layout, rank)).ToArray();
        Coordinate = specification.Mesh.CoordinateOf(world.Rank);
        World = wrap(world.Group);
        Tensor = Make("tp", rank => ranks[rank].Tensor)!;
        Context = Make("cp", rank => ranks[rank].Context)!;
        Pipeline = Make("pp", rank => ranks[rank].Pipeline)!;
        Replicas = Make("dp×cp", rank => ranks[rank].Replicas)!;
        Shards = Make("zero", rank => ranks[rank].Shards)!;
        ShardReplicas = Make("zero-replicas", rank => ranks[rank].ShardReplicas)!;
        Tied = Make("tied", rank => ranks[rank].Tied);
        int holders = Math.Max(1, specification.Mesh.Tensor / specification.Model.KvHeads);
        KvReplicas = Make("kv", rank => [.. ranks[rank].Tensor.Chunk(holders).Single(part => part.Contains(rank))])!;

        IProcessGroup? Make(string name, Func<int, IReadOnlyList<int>> membersOf)
        {
            IProcessGroup? mine = null;
            for (int rank = 0; rank < ranks.Length; rank++)
            {
                var members = membersOf(rank);
                if (members.Count == 0 || members.Min() != rank) continue;
                mine = world.CreateGroup(members, name) ?? mine;
            }
            if (mine is null) return null;
            _made.Add(mine);
            return wrap(mine);
        }
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

    /// <summary>Data × context: ranks whose gradients are summed.</summary>
    public IProcessGroup Replicas { get; }

    /// <summary>Ranks that share one copy of sharded state (this rank alone without ZeRO).</summary>
    public IProcessGroup Shards { get; }

    /// <summary>Ranks that hold the same shard; all replicas without ZeRO.</summary>
    public IProcessGroup ShardReplicas { get; }

    /// <summary>The two holders of a tied embedding; null on other ranks, and where one rank holds both ends.</summary>
    public IProcessGroup? Tied { get; }

    /// <summary>Makes this rank's groups. Every rank of the world calls it with the same layout.</summary>
    /// <param name="world">The job.</param>
    /// <param name="specification">The layout.</param>
    /// <param name="wrap">Puts something around each group, e.g. a recorder; null: nothing.</param>
    public static ProcessGroups Create(IWorld world, StepSpecification specification, Func<IProcessGroup, IProcessGroup>? wrap = null)
    {
        if (specification.Mesh.Size != world.Size)
            throw new ArgumentException($"The layout needs {specification.Mesh.Size} ranks, this job has {world.Size}.", nameof(specification));
        return new ProcessGroups(world, specification, wrap ?? (group => group));
    }

    /// <summary>Frees the groups, not the world's.</summary>
    public void Dispose()
    {
        foreach (var group in _made) group.Dispose();
    }
}
