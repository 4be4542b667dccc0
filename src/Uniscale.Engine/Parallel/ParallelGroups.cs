using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Programs;

namespace Uniscale.Engine.Parallel;

/// <summary>The groups that a model's primitives talk over, seen from one rank. A group that is null has this rank alone.</summary>
public sealed record ParallelGroups
{
    /// <summary>Ranks that share the matrices of a layer.</summary>
    public IProcessGroup? Tensor { get; init; }

    /// <summary>Ranks of the tensor group that hold the same key-value head.</summary>
    public IProcessGroup? KvReplicas { get; init; }

    /// <summary>Ranks that share a sequence.</summary>
    public IProcessGroup? Context { get; init; }

    /// <summary>The residual is split along the sequence over <see cref="Tensor"/>.</summary>
    public bool Sequence { get; init; }

    /// <summary>How attention is split over <see cref="Context"/>.</summary>
    public ContextKind ContextMethod { get; init; }

    /// <summary>Makes the groups of every rank's tensor and context axis; all ranks of the world call it at the same point.</summary>
    public static ParallelGroups Create(IWorld world, MeshShape mesh, ParallelSection layout, int kvHeads)
    {
        int replicas = kvHeads < mesh.Tensor ? mesh.Tensor / kvHeads : 1;
        return new ParallelGroups
        {
            Tensor = CreateAxis(world, mesh, Axis.Tensor, "tp"),
            KvReplicas = CreateReplicas(world, mesh, replicas),
            Context = CreateAxis(world, mesh, Axis.Context, "cp"),
            Sequence = layout.Sequence && mesh.Tensor > 1,
            ContextMethod = layout.ContextMethod,
        };
    }

    private static IProcessGroup? CreateAxis(IWorld world, MeshShape mesh, Axis axis, string name)
    {
        IProcessGroup? own = null;
        if (mesh[axis] > 1)
            foreach (var group in GroupsOf(mesh, axis))
                own = world.CreateGroup(group, name) ?? own;
        return own;
    }

    private static IProcessGroup? CreateReplicas(IWorld world, MeshShape mesh, int replicas)
    {
        IProcessGroup? own = null;
        if (replicas > 1)
            foreach (int[] part in GroupsOf(mesh, Axis.Tensor).SelectMany(group => group.Chunk(replicas)))
                own = world.CreateGroup(part, "kv") ?? own;
        return own;
    }

    private static IEnumerable<IReadOnlyList<int>> GroupsOf(MeshShape mesh, Axis axis) =>
        Enumerable.Range(0, mesh.Size).Where(rank => mesh.CoordinateOf(rank)[axis] == 0).Select(rank => mesh.GroupOf(rank, axis));
}
