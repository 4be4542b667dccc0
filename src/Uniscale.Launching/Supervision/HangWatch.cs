using Uniscale.Collectives;

namespace Uniscale.Launching.Supervision;

/// <summary>
/// Watches ranks that are threads of this process; one that stands still cannot be killed, but the others need not wait for it.
/// </summary>
public sealed class HangWatch : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly string _folder;
    private readonly HangDetector _detector;
    private readonly Timer _timer;
    private readonly Lock _gate = new();
    private readonly List<IWorld> _worlds = [];

    /// <param name="folder">Where the ranks' heartbeats lie.</param>
    /// <param name="limits">When they are given up.</param>
    public HangWatch(string folder, HangLimits limits)
    {
        _folder = folder;
        _detector = new HangDetector(limits);
        _timer = new Timer(_ => Look(), null, Period, Period);
    }

    /// <summary>Adds a rank, to be aborted with the diagnosis as the reason.</summary>
    public void Add(IWorld world)
    {
        lock (_gate)
            _worlds.Add(world);
    }

    /// <summary>Ends the watch, the look under way included: the folder may be gone afterwards.</summary>
    public void Dispose()
    {
        _timer.Dispose();
        lock (_gate)
            _worlds.Clear();
    }

    private void Look()
    {
        lock (_gate)
        {
            var now = DateTimeOffset.UtcNow;
            if (_worlds.Count == 0 || _detector.Observe(Heartbeat.ReadAll(_folder), now) is not { } still)
                return;
            _worlds[0].Abort($"nothing has moved for {Diagnosis.Seconds(still)} s: {Diagnosis.Of(_folder, now).Sentence}");
            _worlds.Clear();
        }
    }
}
