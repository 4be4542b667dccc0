namespace Uniscale.Telemetry.Export;

/// <summary>So many an hour and no more.</summary>
/// <param name="most">Notices in any hour.</param>
internal sealed class NoticeBudget(int most)
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private readonly Queue<DateTimeOffset> _spent = new();
    private readonly Lock _gate = new();

    /// <summary>Takes one; false: the last hour has had all.</summary>
    public bool Spend(DateTimeOffset now)
    {
        lock (_gate)
        {
            while (_spent.TryPeek(out var oldest) && now - oldest >= Hour)
                _spent.Dequeue();
            if (_spent.Count == most)
                return false;
            _spent.Enqueue(now);
            return true;
        }
    }
}
