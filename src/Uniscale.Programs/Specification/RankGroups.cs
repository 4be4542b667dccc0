namespace Uniscale.Programs;

/// <summary>Ranks that hold the same parameters, and how they share the state that is sharded.</summary>
/// <param name="Replicas">All of them.</param>
/// <param name="Shards">Those that share one copy with this rank: a run of neighbours. Its shard is its place in the list.</param>
/// <param name="ShardReplicas">Those that hold the same shard as this rank: at the same place of each run.</param>
public readonly record struct ReplicaRanks(IReadOnlyList<int> Replicas, IReadOnlyList<int> Shards, IReadOnlyList<int> ShardReplicas)
{
    /// <summary>As a rank sees it.</summary>
    /// <param name="replicas">Ranks that hold the same parameters, <paramref name="rank"/> among them.</param>
    /// <param name="rank">The rank.</param>
    /// <param name="group">Members that share one copy; a divisor of their number.</param>
    public static ReplicaRanks Of(IReadOnlyList<int> replicas, int rank, int group)
    {
        int place = replicas.Index().First(member => member.Item == rank).Index,
            first = place / group * group;
        return new ReplicaRanks(replicas, [.. replicas.Skip(first).Take(group)], [.. replicas.Where((_, i) => i % group == place % group)]);
    }
}

/// <summary>The groups in which a rank communicates, each an ordered list of world ranks that contains it.</summary>
public sealed record RankGroups
{
    /// <summary>Ranks that split matrices: same place but for the tensor axis.</summary>
    public required IReadOnlyList<int> Tensor { get; init; }

    /// <summary>Ranks that split the sequence: same place but for the context axis.</summary>
    public required IReadOnlyList<int> Context { get; init; }

    /// <summary>Ranks that see other samples: same place but for the data axis.</summary>
    public required IReadOnlyList<int> Data { get; init; }

    /// <summary>Ranks of the same pipeline, by stage.</summary>
    public required IReadOnlyList<int> Pipeline { get; init; }

    /// <summary>Ranks that go through each pass together: tensor × context.</summary>
    public required IReadOnlyList<int> Lockstep { get; init; }

    /// <summary>Ranks that hold the same parameters: data × context, by world rank. Gradients are summed over it.</summary>
    public required IReadOnlyList<int> Replicas { get; init; }

    /// <summary>Replicas that share one copy of sharded state: a run of <see cref="StepSpecification.ZeroGroup"/> neighbours of
    /// <see cref="Replicas"/>. This rank's shard is its place in the list.</summary>
    public required IReadOnlyList<int> Shards { get; init; }

    /// <summary>Ranks that hold the same shard: those at the same place of each run of <see cref="Replicas"/>.</summary>
    public required IReadOnlyList<int> ShardReplicas { get; init; }

    /// <summary>
    /// First and last stage of this rank's pipeline where a matrix is tied across them and this rank is one of them; else empty.
    /// </summary>
    public required IReadOnlyList<int> Tied { get; init; }

    /// <summary>Groups of a rank.</summary>
    public static RankGroups Of(StepSpecification spec, int rank)
    {
        var mesh = spec.Mesh;
        int[] replicas = mesh.GroupOf(rank, [.. MeshAxis.OfReplicas]).Order().ToArray();
        // Without sharding every replica holds all: the shard group is the rank itself, and the holders of its "shard" are all replicas.
        var sharing = ReplicaRanks.Of(replicas, rank, spec.Sharding == 0 ? 1 : spec.ZeroGroup);
        var pipeline = mesh.GroupOf(rank, Axis.Pipeline);
        bool tied = spec.TiedAcrossStages && (rank == pipeline[0] || rank == pipeline[^1]);
        return new RankGroups
        {
            Tensor = mesh.GroupOf(rank, Axis.Tensor),
            Context = mesh.GroupOf(rank, Axis.Context),
            Data = mesh.GroupOf(rank, Axis.Data),
            Pipeline = pipeline,
            Lockstep = mesh.GroupOf(rank, [.. MeshAxis.OfLockstep]),
            Replicas = replicas,
            Shards = sharing.Shards,
            ShardReplicas = sharing.ShardReplicas,
            Tied = tied ? [pipeline[0], pipeline[^1]] : [],
        };
    }
}
