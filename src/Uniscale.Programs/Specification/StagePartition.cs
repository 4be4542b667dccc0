using System.Collections.Concurrent;

namespace Uniscale.Programs;

/// <summary>A run of blocks.</summary>
/// <param name="First">First block.</param>
/// <param name="Count">Number of blocks, at least 1.</param>
public readonly record struct BlockRange(int First, int Count)
{
    /// <summary>Last block.</summary>
    public int Last => First + Count - 1;

    /// <summary>Whether a block lies in the run.</summary>
    public bool Contains(int block) => block >= First && block <= Last;

    /// <inheritdoc/>
    public override string ToString() => Count == 1 ? $"{First}" : $"{First}..{Last}";
}

/// <summary>
/// Which blocks each virtual stage holds. The row is cut where the most expensive virtual stage is cheapest, and among such cuts where
/// the sum of squared costs is smallest; costs are those of <see cref="BlockCost"/>, so that a head with a large vocabulary takes the place
/// of some layers.
/// </summary>
public sealed class StagePartition
{
    private static readonly ConcurrentDictionary<(ModelShape, int), BlockRange[]> Cuts = new();

    private readonly BlockRange[] _ranges;
    private readonly int _stages;

    private StagePartition(BlockRange[] ranges, int stages) => (_ranges, _stages) = (ranges, stages);

    /// <summary>Partition of a layout.</summary>
    /// <exception cref="LayoutException">There are more virtual stages than blocks.</exception>
    public static StagePartition Of(StepSpecification spec)
    {
        int parts = spec.VirtualStages;
        if (parts > spec.Model.BlockCount)
            throw new LayoutException(
                $"{spec.Mesh.Pipeline} stages of {spec.Chunks} chunks need {parts} blocks but the model has {spec.Model.BlockCount} (embedding, {spec.Model.Layers} layers, head): "
                    + $"lower parallel.pipeline × parallel.chunks to at most {spec.Model.BlockCount}"
            );
        return new StagePartition(Cuts.GetOrAdd((spec.Model, parts), key => Cut(CostsOf(key.Item1), key.Item2)), spec.Mesh.Pipeline);
    }

    /// <summary>Blocks of each virtual stage, in the order of the row.</summary>
    public IReadOnlyList<BlockRange> Ranges => _ranges;

    /// <summary>Blocks of chunk <paramref name="chunk"/> of stage <paramref name="stage"/>.</summary>
    public BlockRange RangeOf(int stage, int chunk) => _ranges[chunk * _stages + stage];

    /// <summary>Stage that holds a block.</summary>
    public int StageOf(int block) => Array.FindIndex(_ranges, range => range.Contains(block)) % _stages;

    /// <summary>Blocks of a stage, all chunks, in the order of the row.</summary>
    public IEnumerable<int> BlocksOf(int stage)
    {
        for (int v = stage; v < _ranges.Length; v += _stages)
            for (int block = _ranges[v].First; block <= _ranges[v].Last; block++)
                yield return block;
    }

    private static double[] CostsOf(ModelShape model) =>
        Enumerable.Range(0, model.BlockCount).Select(block => BlockCost.ForwardPerToken(model, block)).ToArray();

    /// <summary>
    /// Two passes of dynamic programming over (parts, blocks): the smallest maximum, then the smallest sum of squares under it.
    /// </summary>
    private static BlockRange[] Cut(double[] costs, int parts)
    {
        double[] prefix = new double[costs.Length + 1];
        for (int i = 0; i < costs.Length; i++)
            prefix[i + 1] = prefix[i] + costs[i];
        double limit = Solve(prefix, parts, double.PositiveInfinity, Math.Max, cost => cost).Best;
        return Solve(prefix, parts, limit, (a, b) => a + b, cost => cost * cost).Ranges;
    }

    private static (double Best, BlockRange[] Ranges) Solve(
        double[] prefix,
        int parts,
        double limit,
        Func<double, double, double> join,
        Func<double, double> price
    )
    {
        int blocks = prefix.Length - 1;
        double[,] best = new double[parts + 1, blocks + 1];
        int[,] from = new int[parts + 1, blocks + 1];
        for (int part = 0; part <= parts; part++)
            for (int end = 0; end <= blocks; end++)
                best[part, end] = part == 0 && end == 0 ? 0 : double.PositiveInfinity;
        for (int part = 1; part <= parts; part++)
            for (int end = part; end <= blocks; end++)
                for (int start = part - 1; start < end; start++)
                {
                    double cost = prefix[end] - prefix[start];
                    if (cost > limit * (1 + 1e-12))
                        continue;
                    double total = join(best[part - 1, start], price(cost));
                    if (total >= best[part, end])
                        continue;
                    (best[part, end], from[part, end]) = (total, start);
                }
        var ranges = new BlockRange[parts];
        for (int part = parts, end = blocks; part > 0; end = from[part, end], part--)
            ranges[part - 1] = new BlockRange(from[part, end], end - from[part, end]);
        return (best[parts, blocks], ranges);
    }
}
