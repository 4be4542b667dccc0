namespace Uniscale.Telemetry.Curves;

/// <summary>
/// All losses of a run in bounded memory: when full, neighbours are averaged and each point stands for twice as many steps.
/// </summary>
public sealed class LossHistory(int capacity = 4096)
{
    private readonly List<double> _points = [];
    private double _sum;
    private int _pending;
    private int _stride = 1;

    /// <summary>A history that begins with the losses of a run that is continued.</summary>
    public static LossHistory After(IEnumerable<double> losses)
    {
        var history = new LossHistory();
        foreach (double loss in losses)
            history.Add(loss);
        return history;
    }

    /// <summary>Means of equally many steps, in order.</summary>
    public IReadOnlyList<double> Points => _points;

    /// <summary>Adds a loss; values that are no numbers are left out.</summary>
    public void Add(double loss)
    {
        if (!double.IsFinite(loss))
            return;
        _sum += loss;
        if (++_pending < _stride)
            return;
        _points.Add(_sum / _pending);
        (_sum, _pending) = (0, 0);
        if (_points.Count == capacity)
            Halve();
    }

    private void Halve()
    {
        for (int i = 0; i < _points.Count / 2; i++)
            _points[i] = (_points[2 * i] + _points[(2 * i) + 1]) / 2;
        _points.RemoveRange(_points.Count / 2, _points.Count - (_points.Count / 2));
        _stride *= 2;
    }
}
