namespace Uniscale.Telemetry.Curves;

/// <summary>All losses of a run in bounded memory: when full, neighbours are averaged and each point stands for twice as many steps.</summary>
public sealed class LossHistory(int capacity = 4096)
{
    private readonly List<double> points = [];
    private double sum;
    private int pending;
    private int stride = 1;

    /// <summary>A history that begins with the losses of a run that is continued.</summary>
    public static LossHistory After(IEnumerable<double> losses)
    {
        var history = new LossHistory();
        foreach (double loss in losses)
            history.Add(loss);
        return history;
    }

    /// <summary>Means of equally many steps, in order.</summary>
    public IReadOnlyList<double> Points => points;

    /// <summary>Adds a loss; values that are no numbers are left out.</summary>
    public void Add(double loss)
    {
        if (!double.IsFinite(loss))
            return;
        sum += loss;
        if (++pending < stride)
            return;
        points.Add(sum / pending);
        (sum, pending) = (0, 0);
        if (points.Count == capacity)
            Halve();
    }

    private void Halve()
    {
        for (int i = 0; i < points.Count / 2; i++)
            points[i] = (points[2 * i] + points[(2 * i) + 1]) / 2;
        points.RemoveRange(points.Count / 2, points.Count - (points.Count / 2));
        stride *= 2;
    }
}
