namespace Uniscale.Dashboard.Curves;

/// <summary>Mean over the last steps of a row.</summary>
public static class Smoothing
{
    /// <summary>
    /// The mean of each value and the <paramref name="window"/> - 1 before it, values that are not finite left out; NaN where none is.
    /// </summary>
    /// <param name="values">The row.</param>
    /// <param name="from">First index whose mean is wanted; the result begins with it.</param>
    /// <param name="window">Steps; 1 or less: the values as they are.</param>
    public static float[] Mean(ReadOnlySpan<float> values, int from, int window)
    {
        if (window <= 1)
            return values[from..].ToArray();
        float[] means = new float[values.Length - from];
        double sum = 0;
        int count = 0;
        for (int i = Math.Max(0, from - window + 1); i < values.Length; i++)
        {
            Enter(values[i], 1);
            int gone = i - window;
            if (gone >= Math.Max(0, from - window + 1))
                Enter(values[gone], -1);
            if (i >= from)
                means[i - from] = count > 0 ? (float)(sum / count) : float.NaN;
        }
        return means;

        void Enter(float value, int sign)
        {
            if (!float.IsFinite(value))
                return;
            sum += sign * (double)value;
            count += sign;
        }
    }
}
