namespace Uniscale.Collectives;

/// <summary>A latch that threads wait for: they spin shortly, then sleep, because processors are shared with computation.</summary>
internal sealed class EndSignal
{
    private const int SpinCount = 30;

    private readonly object _gate = new();
    private volatile bool _isSet;

    public bool IsSet => _isSet;

    public void Set()
    {
        lock (_gate)
        {
            _isSet = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Blocks until the signal is set, calling <paramref name="help"/> while it spins.</summary>
    public void Wait(Action? help = null)
    {
        var spinner = new SpinWait();
        while (!_isSet && spinner.Count < SpinCount)
        {
            help?.Invoke();
            spinner.SpinOnce(sleep1Threshold: -1);
        }
        lock (_gate)
            while (!_isSet)
                Monitor.Wait(_gate);
    }
}
