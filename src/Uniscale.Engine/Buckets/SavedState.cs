using Uniscale.Checkpoints;
using Uniscale.Collectives;
using Uniscale.Engine.Model;
using Uniscale.Programs;

namespace Uniscale.Engine.Buckets;

/// <summary>
/// What the ranks of a layout save, as a function of (model, layout, rank) alone: no memory, no other rank is asked. It is what
/// <see cref="BucketSlices.Shard(Bucket, Devices.HostImage)"/> gives on the rank itself.
/// </summary>
/// <param name="row">All blocks of the model.</param>
/// <param name="specification">The layout.</param>
/// <param name="type">Type of the parameters: fp32, or bf16 with fp32 master weights.</param>
public sealed class SavedState(IReadOnlyList<Block> row, StepSpecification specification, ElementType type)
{
    /// <summary>The slices that a rank holds and speaks for, without memory.</summary>
    public IEnumerable<StateSlice> Of(int rank)
    {
        var shards = RankGroups.Of(specification, rank).Shards;
        int shard = shards.Index().First(member => member.Item == rank).Index;
        foreach (var block in OwnParameters.Of(row, specification, specification.Mesh.CoordinateOf(rank)))
        {
            var layout = new FlatLayout(block.Parameters, shards.Count, shard);
            foreach (var (prefix, stored) in Kinds(type))
                foreach (var slice in BucketSlices.Of(layout, prefix, stored, layout.Shard, address: 0, ownedOnly: true)) yield return slice;
        }
    }

    /// <summary>What is saved of each parameter, by the beginning of its name: the parameter, its moments and, beside bf16, its master.</summary>
    private static IEnumerable<(string Prefix, ElementType Type)> Kinds(ElementType type)
    {
        yield return ("", type);
        yield return (BucketSlices.FirstMoment, ElementType.Float32);
        yield return (BucketSlices.SecondMoment, ElementType.Float32);
        if (type != ElementType.Float32) yield return (BucketSlices.Master, ElementType.Float32);
    }
}
