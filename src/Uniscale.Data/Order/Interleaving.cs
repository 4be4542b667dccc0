namespace Uniscale.Data;

/// <summary>
/// Deals samples to sources by weight, evenly at every length, without state: the count of a source after n samples is a closed formula.
/// The sources are the leaves of a Huffman tree over their weights. Each node sends the floor(n·p + 1/2) first of its n samples to its left
/// child,
/// so each split is off by at most half a sample; errors from above shrink by the share of each step down, and since weights grow at least
/// like
/// Fibonacci numbers on the way up a Huffman tree, no count is ever off by more than <see cref="Bound"/> &lt; 1.7 samples, whatever n.
/// All arithmetic is on integers (weights in 63 bits), hence the same on every machine.
/// </summary>
public sealed class Interleaving
{
    private readonly Node _root;
    private readonly int _sourceCount;

    /// <param name="weights">One for each source; 0 leaves a source out. They need not sum to one.</param>
    public Interleaving(IReadOnlyList<double> weights)
    {
        double total = weights.Sum();
        if (!(total > 0) || double.IsInfinity(total) || weights.Any(weight => !(weight >= 0)))
            throw new ArgumentException("Weights must be finite, not negative, and one of them above zero.", nameof(weights));
        _sourceCount = weights.Count;
        Weights = [.. weights.Select(weight => weight / total)];
        var queue = new PriorityQueue<Node, (double, int)>();
        int order = 0;
        for (int source = 0; source < weights.Count; source++)
            if (weights[source] > 0)
                queue.Enqueue(new Node(Weights[source], source), (Weights[source], order++));
        while (queue.Count > 1)
        {
            Node right = queue.Dequeue(),
                left = queue.Dequeue();
            var parent = new Node(left.Weight + right.Weight, -1, left, right);
            queue.Enqueue(parent, (parent.Weight, order++));
        }
        _root = queue.Dequeue();
        Bound = ErrorOf(_root, 0);
    }

    /// <summary>Shares of the sources, summing to one.</summary>
    public IReadOnlyList<double> Weights { get; }

    /// <summary>The most that the count of a source can differ from n times its share.</summary>
    public double Bound { get; }

    /// <summary>The source of sample <paramref name="sample"/>, and which of the source's samples it is. O(depth of the tree).</summary>
    public (int Source, long Ordinal) At(long sample)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sample);
        var node = _root;
        while (node.Left is { } left)
        {
            long before = node.LeftOf(sample);
            if (node.LeftOf(sample + 1) > before)
                (node, sample) = (left, before);
            else
                (node, sample) = (node.Right!, sample - before);
        }
        return (node.Source, sample);
    }

    /// <summary>How many of the first <paramref name="sampleCount"/> samples each source gives. O(sources).</summary>
    public long[] CountsOf(long sampleCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sampleCount);
        long[] counts = new long[_sourceCount];
        Count(_root, sampleCount, counts);
        return counts;
    }

    private static void Count(Node node, long samples, long[] counts)
    {
        if (node.Left is null)
        {
            counts[node.Source] = samples;
            return;
        }
        long left = node.LeftOf(samples);
        Count(node.Left, left, counts);
        Count(node.Right!, samples - left, counts);
    }

    private static double ErrorOf(Node node, double error) =>
        node.Left is null
            ? error
            : Math.Max(
                ErrorOf(node.Left, 0.5 + node.Left.Weight / node.Weight * error),
                ErrorOf(node.Right!, 0.5 + node.Right!.Weight / node.Weight * error)
            );

    private sealed record Node(double Weight, int Source, Node? Left = null, Node? Right = null)
    {
        /// <summary>Share of the left child, as a fraction of 2^63.</summary>
        private readonly ulong _share = Left is null ? 0 : (ulong)(Left.Weight / (Left.Weight + Right!.Weight) * (1UL << 63));

        /// <summary>How many of the first n samples go left; grows by 0 or 1 with n.</summary>
        public long LeftOf(long n) => (long)(((UInt128)(ulong)n * _share + (UInt128.One << 62)) >> 63);
    }
}
