using Uniscale.Checkpoints;
using Uniscale.Collectives;
using Uniscale.Engine.Model;
using Uniscale.Programs;

namespace Uniscale.Engine.Buckets;

/// <summary>
/// What the ranks of a layout save, as a function of (model, layout, rank) alone: no memory, no other rank is asked. It is what
/// <see cref="BucketSlices.Shard(Bucket, Devices.HostImage, IReadOnlyList{int})"/> gives on the rank itself.
/// </summary>
/// <param name="row">All blocks of the model.</param>
/// <param name="specification">The layout.</param>
/// <param name="type">Type of the parameters: fp32, or bf16 with fp32 master weights.</param>
public sealed class SavedState(IReadOnlyList<Block> row, StepSpecification specification, ElementType type)
{
    /// <summary>The slices that a rank holds and speaks for, without memory.</summary>
    public IEnumerable<StateSlice> Of(int rank)
    {
        var groups = RankGroups.Of(specification, rank);
        foreach (var layout in Layouts(rank, groups))
            foreach (var (prefix, stored) in Kinds(type))
                foreach (var slice in BucketSlices.Of(layout, prefix, stored, layout.Shard, address: 0, ownedOnly: true))
                    yield return slice with
                    {
                        Holders = groups.ShardReplicas,
                    };
    }

    /// <summary>
    /// The slices that a rank fills when it resumes: whole parameters where it holds them whole, and its shard of the rest.
    /// </summary>
    public IEnumerable<StateSlice> Loaded(int rank)
    {
        foreach (var layout in Layouts(rank, RankGroups.Of(specification, rank)))
        {
            foreach (var (prefix, stored) in Kinds(type))
            {
                var held = prefix.Length == 0 && specification.Sharding < 3 ? new FlatSpan(0, layout.Count) : layout.Shard;
                foreach (var slice in BucketSlices.Of(layout, prefix, stored, held, address: 0, ownedOnly: false))
                    yield return slice;
            }
        }
    }

    /// <summary>All tensors that the ranks save together, whatever the layout.</summary>
    /// <param name="parameters">Every parameter of the model.</param>
    /// <param name="type">Their type.</param>
    public static IReadOnlyList<StateTensor> Tensors(IEnumerable<ParameterSpec> parameters, ElementType type) =>
        [
            .. Kinds(type)
                .SelectMany(kind =>
                    parameters.Select(parameter => new StateTensor(kind.Prefix + parameter.Name, kind.Type, parameter.Shape))
                ),
        ];

    private IEnumerable<FlatLayout> Layouts(int rank, RankGroups groups)
    {
        int shard = groups.Shards.Index().First(member => member.Item == rank).Index;
        return OwnParameters
            .Of(row, specification, specification.Mesh.CoordinateOf(rank))
            .Select(block => new FlatLayout(block.Parameters, groups.Shards.Count, shard));
    }

    /// <summary>
    /// What is saved of each parameter, by the beginning of its name: the parameter, its moments and, beside bf16, its master.
    /// </summary>
    private static IEnumerable<(string Prefix, ElementType Type)> Kinds(ElementType type)
    {
        yield return ("", type);
        yield return (BucketSlices.FirstMoment, ElementType.Float32);
        yield return (BucketSlices.SecondMoment, ElementType.Float32);
        if (type != ElementType.Float32)
            yield return (BucketSlices.Master, ElementType.Float32);
    }
}
