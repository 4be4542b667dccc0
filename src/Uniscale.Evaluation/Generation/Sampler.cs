using System.Numerics.Tensors;
using Uniscale.Data;
using Uniscale.Evaluation.Inference;

namespace Uniscale.Evaluation.Generation;

/// <summary>Draws the tokens of one text from logits: a function of the logits, the tokens so far and (seed, number of the draw).</summary>
public sealed class Sampler
{
    private readonly SamplingOptions _options;
    private readonly HashSet<int> _seen;
    private ulong _draws;
    private float[] _allowed = [];

    /// <param name="options">How tokens are chosen.</param>
    /// <param name="prompt">Tokens before the first draw, for the repetition penalty.</param>
    public Sampler(SamplingOptions options, IEnumerable<int>? prompt = null)
    {
        options.Check();
        _options = options;
        _seen = options.RepetitionPenalty == 1 ? [] : [.. prompt ?? []];
    }

    /// <summary>Probability that top-p, top-k and min-p took away in the last draw, of what could be drawn; 0: none.</summary>
    public double CutMass { get; private set; }

    /// <summary>The next token.</summary>
    /// <param name="logits">Of the whole vocabulary.</param>
    /// <param name="drawable">Entries that may be drawn; empty: all. Shorter than the logits: those beyond may not.</param>
    public int Draw(ReadOnlySpan<float> logits, ReadOnlySpan<bool> drawable = default)
    {
        if (logits.IsEmpty)
            throw new ArgumentException("There are no logits to draw from.", nameof(logits));
        float[] own = Allowed(logits, drawable);
        int token = _options.Temperature == 0 ? LogProbabilities.Likeliest(own) : DrawFrom(own);
        _draws++;
        if (_options.RepetitionPenalty != 1)
            _seen.Add(token);
        return token;
    }

    private float[] Allowed(ReadOnlySpan<float> logits, ReadOnlySpan<bool> drawable)
    {
        if (_allowed.Length != logits.Length)
            _allowed = new float[logits.Length];
        float[] own = _allowed;
        logits.CopyTo(own);
        if (!drawable.IsEmpty)
        {
            for (int i = 0; i < own.Length; i++)
                if (i >= drawable.Length || !drawable[i])
                    own[i] = float.NegativeInfinity;
        }
        foreach (int token in _seen)
            if (token < own.Length)
                own[token] = (float)(own[token] > 0 ? own[token] / _options.RepetitionPenalty : own[token] * _options.RepetitionPenalty);
        return own;
    }

    private int DrawFrom(float[] logits)
    {
        double top = logits[LogProbabilities.Likeliest(logits)],
            total = Math.Exp(LogProbabilities.LogSumExp(logits, _options.Temperature) - top / _options.Temperature);
        if (_options is { TopP: 1, TopK: 0, MinP: 0 })
            return DrawFromAll(logits, top, total);
        // The likeliest tokens, in order: enough of them that what the rules keep is among them.
        var order = Candidates(logits, top, total);
        int kept = 0;
        double mass = 0;
        while (kept < order.Count && Keeps(kept, mass, total, order[kept].Weight))
            mass += order[kept++].Weight;
        CutMass = Math.Max(0, 1 - (mass / total));
        double mark = Uniform() * mass;
        for (int i = 0; i < kept; i++)
        {
            mark -= order[i].Weight;
            if (mark < 0)
                return order[i].Token;
        }
        return order[kept - 1].Token;
    }

    private int DrawFromAll(float[] logits, double top, double total)
    {
        double mark = Uniform() * total;
        int last = 0;
        Span<double> weights = stackalloc double[64];
        for (int first = 0; first < logits.Length; first += weights.Length)
        {
            var some = weights[..Math.Min(weights.Length, logits.Length - first)];
            for (int i = 0; i < some.Length; i++)
                some[i] = (logits[first + i] - top) / _options.Temperature;
            TensorPrimitives.Exp<double>(some, some);
            for (int i = 0; i < some.Length; i++)
            {
                if (some[i] == 0)
                    continue;
                last = first + i;
                mark -= some[i];
                if (mark < 0)
                    return last;
            }
        }
        return last;
    }

    /// <summary>
    /// Whether the token at a place of the order stays, given the probability mass before it; the likeliest always does, and has weight 1.
    /// </summary>
    private bool Keeps(int place, double mass, double total, double weight) =>
        place == 0 || (mass < _options.TopP * total && weight >= _options.MinP && (_options.TopK == 0 || place < _options.TopK));

    /// <summary>
    /// Tokens by falling weight exp((logit − top) / temperature), equal ones by number, down to a weight behind which no rule keeps any.
    /// </summary>
    private List<(double Weight, int Token)> Candidates(float[] logits, double top, double total)
    {
        for (double floor = 1e-4; ; floor = floor > 1e-300 ? floor * floor : 0)
        {
            double lowest = floor == 0 ? double.NegativeInfinity : top + Math.Log(floor) * _options.Temperature,
                mass = 0;
            var found = new List<(double Weight, int Token)>();
            for (int i = 0; i < logits.Length; i++)
            {
                if (!(logits[i] >= lowest) || float.IsNegativeInfinity(logits[i]))
                    continue;
                double weight = Math.Exp((logits[i] - top) / _options.Temperature);
                found.Add((weight, i));
                mass += weight;
            }
            bool enough =
                floor == 0 || mass >= _options.TopP * total || floor < _options.MinP || (_options.TopK > 0 && found.Count >= _options.TopK);
            if (!enough)
                continue;
            found.Sort((a, b) => a.Weight != b.Weight ? b.Weight.CompareTo(a.Weight) : a.Token.CompareTo(b.Token));
            return found;
        }
    }

    /// <summary>A number in [0, 1).</summary>
    private double Uniform() => (Mixing.Key(unchecked((ulong)_options.Seed), _draws) >> 11) * (1.0 / (1UL << 53));
}
