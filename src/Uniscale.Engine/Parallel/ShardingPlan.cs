using System.IO.Enumeration;
using Uniscale.Configuration;
using Uniscale.Engine.Model;
using Uniscale.Programs;

namespace Uniscale.Engine.Parallel;

/// <summary>How a parameter lies on the ranks of the tensor axis.</summary>
public enum Placement
{
    /// <summary>Whole on every rank.</summary>
    Replicated,

    /// <summary>Split along dim 0, the output features.</summary>
    Column,

    /// <summary>Split along dim 0 by key-value heads; a head is on several ranks where there are fewer heads than ranks.</summary>
    KeyValue,

    /// <summary>Split along dim 1, the input features.</summary>
    Row,

    /// <summary>Split along dim 0 by vocabulary entries, padded to a multiple of the axis.</summary>
    Vocabulary,
}

/// <summary>A parameter as one rank holds it.</summary>
/// <param name="Spec">The global parameter.</param>
/// <param name="Placement">How it lies on the tensor axis.</param>
/// <param name="Shape">Shape on this rank, with padding.</param>
/// <param name="Offset">First global index of this rank's part in each dim.</param>
/// <param name="Extent">Elements of the part in each dim, without padding: it fills the first <c>Extent</c> indices of the local
/// shape.</param>
/// <param name="Replicas">Ranks of the tensor axis that hold this same part.</param>
/// <param name="IsOwner">This rank is the first of them: it counts the part in global norms and saves it.</param>
public sealed record LocalParameter(
    ParameterSpec Spec,
    Placement Placement,
    long[] Shape,
    long[] Offset,
    long[] Extent,
    int Replicas,
    bool IsOwner
)
{
    /// <summary>Elements on this rank, with padding.</summary>
    public long Count => Shape.Aggregate(1L, (a, b) => a * b);
}

/// <summary>Gives each named parameter its place on the tensor axis.</summary>
public sealed class ShardingPlan
{
    private readonly ModelShape _model;
    private readonly int _size;
    private readonly int _rank;

    /// <summary>The plan of one rank of the tensor axis.</summary>
    /// <exception cref="UserErrorException">The model cannot be split over so many ranks; the message says which number to
    /// change.</exception>
    public ShardingPlan(ModelShape model, int size = 1, int rank = 0)
    {
        LayoutGate.CheckTensor(model, size);
        this._model = model;
        this._size = size;
        this._rank = rank;
    }

    /// <summary>Patterns over global names (<c>*</c>: any part of a name) and their placement; the first that fits counts.</summary>
    public static IReadOnlyList<(string Pattern, Placement Placement)> Rules { get; } =
    [
        ("embedding.tokens.weight", Placement.Vocabulary),
        ("head.output.weight", Placement.Vocabulary),
        ("layers.*.attention.wq.*", Placement.Column),
        ("layers.*.attention.wk.*", Placement.KeyValue),
        ("layers.*.attention.wv.*", Placement.KeyValue),
        ("layers.*.ffn.w1.*", Placement.Column),
        ("layers.*.ffn.w3.*", Placement.Column),
        ("layers.*.attention.wo.weight", Placement.Row),
        ("layers.*.ffn.w2.weight", Placement.Row),
        ("*", Placement.Replicated),
    ];

    /// <summary>Placement of a name.</summary>
    public static Placement PlacementOf(string name) =>
        Rules.First(rule => FileSystemName.MatchesSimpleExpression(rule.Pattern, name, ignoreCase: false)).Placement;

    /// <summary>A parameter as this rank holds it.</summary>
    public LocalParameter Local(ParameterSpec spec)
    {
        var placement = PlacementOf(spec.Name);
        int kvParts = Math.Min(_size, _model.KvHeads);
        return placement switch
        {
            Placement.Column => Split(spec, placement, dim: 0, _size, _rank),
            Placement.Row => Split(spec, placement, dim: 1, _size, _rank),
            Placement.KeyValue => Split(spec, placement, dim: 0, kvParts, _rank / (_size / kvParts)),
            Placement.Vocabulary => SplitVocabulary(spec),
            _ => Split(spec, placement, dim: 0, parts: 1, part: 0),
        };
    }

    /// <summary>Rows of the vocabulary on each rank, with padding.</summary>
    internal static long VocabularyRows(long vocabulary, int size) => (vocabulary + size - 1) / size;

    private LocalParameter Split(ParameterSpec spec, Placement placement, int dim, int parts, int part)
    {
        long[] shape = [.. spec.Shape];
        long[] offset = new long[shape.Length];
        shape[dim] /= parts;
        offset[dim] = part * shape[dim];
        int replicas = _size / parts;
        return new LocalParameter(spec, placement, shape, offset, [.. shape], replicas, _rank % replicas == 0);
    }

    private LocalParameter SplitVocabulary(ParameterSpec spec)
    {
        long rows = VocabularyRows(spec.Shape[0], _size);
        long first = _rank * rows;
        long hidden = spec.Shape[1];
        return new LocalParameter(
            spec,
            Placement.Vocabulary,
            [rows, hidden],
            [first, 0],
            [Math.Min(rows, spec.Shape[0] - first), hidden],
            Replicas: 1,
            IsOwner: true
        );
    }
}
