using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Uniscale.Evaluation.Inference;

/// <summary>Logarithms of softmax probabilities, in fp64 and in a fixed order of sums: the same bits for the same logits.</summary>
public static class LogProbabilities
{
    /// <summary>log Σ exp(logit / temperature).</summary>
    public static double LogSumExp(ReadOnlySpan<float> logits, double temperature = 1)
    {
        double top = logits.IsEmpty ? double.NegativeInfinity : TensorPrimitives.Max(logits);
        if (!double.IsFinite(top))
            return top;
        var sums = Vector512<double>.Zero;
        var (origin, scale) = (Vector512.Create(top), Vector512.Create(1 / temperature));
        int whole = logits.Length / Vector256<float>.Count * Vector256<float>.Count;
        foreach (var eight in MemoryMarshal.Cast<float, Vector256<float>>(logits[..whole]))
        {
            var (low, high) = Vector256.Widen(eight);
            sums += Vector512.Exp((Vector512.Create(low, high) - origin) * scale);
        }
        double sum = 0;
        for (int lane = 0; lane < Vector512<double>.Count; lane++)
            sum += sums[lane];
        foreach (float logit in logits[whole..])
            sum += Math.Exp((logit - top) / temperature);
        return top / temperature + Math.Log(sum);
    }

    /// <summary>log of the probability of an entry.</summary>
    public static double Of(ReadOnlySpan<float> logits, int entry, double temperature = 1) =>
        logits[entry] / temperature - LogSumExp(logits, temperature);

    /// <summary>
    /// The entry with the largest logit, the first of equals. A NaN is none, nor is −∞, which may not be drawn; where there is nothing
    /// else, 0.
    /// </summary>
    public static int Likeliest(ReadOnlySpan<float> logits)
    {
        int best = TensorPrimitives.IndexOfMax(logits);
        if (best >= 0 && !float.IsNaN(logits[best]))
            return best;
        best = 0;
        float top = float.NegativeInfinity;
        for (int i = 0; i < logits.Length; i++)
            if (logits[i] > top)
                (best, top) = (i, logits[i]);
        return best;
    }
}
