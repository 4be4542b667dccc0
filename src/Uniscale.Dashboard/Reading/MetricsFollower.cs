using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>How much of a run's metrics file has been read.</summary>
/// <param name="IsWhole">All of it; else <see cref="RunSeries"/> holds a sample of its lines, evenly spread.</param>
/// <param name="Share">Share that has been read, 0 to 1.</param>
/// <param name="Generation">Another number whenever what was read before no longer holds.</param>
public readonly record struct ReadingState(bool IsWhole, double Share, int Generation);

/// <summary>
/// Follows metrics.jsonl of a run. A large file is first sampled, so that its curves can be shown at once, and then read whole; afterwards
/// what is appended is
/// read, and the whole again when the file was replaced, as a resumption does.
/// </summary>
/// <param name="folder">The door to the disk.</param>
/// <param name="run">Folder of the run.</param>
internal sealed class MetricsFollower(RunsFolder folder, string run)
{
    /// <summary>Longer lines are no records.</summary>
    public const int LongestLine = 1 << 20;

    /// <summary>Smaller files are read whole at once, in tens of milliseconds.</summary>
    private const long SmallFile = 16 << 20;

    private const long Portion = 8 << 20;

    private const string FileName = "metrics.jsonl";

    private readonly Lock _gate = new();
    private readonly Lock _reading = new();
    private readonly MetricRecord _record = new();
    private RunSeries _shown = new();
    private RunSeries _series = new();
    private LineScanner? _scanner;
    private int _generation;
    private bool _isWhole;
    private double _share;

    /// <summary>Looks at what is known, which does not change meanwhile.</summary>
    public T Look<T>(Func<RunSeries, ReadingState, T> look)
    {
        lock (_gate)
            return look(_shown, new ReadingState(_isWhole, _share, _generation));
    }

    /// <summary>Reads on. Of a large file that is not read yet it makes the sample, and a later call a portion of the rest.</summary>
    /// <returns>Whether there is more to read now.</returns>
    public bool ReadOn()
    {
        lock (_reading)
        {
            try
            {
                using var stream = folder.Open(run, FileName);
                if (stream is null)
                    return false;
                if (_scanner is not null && !_scanner.Continues(stream))
                    Begin();
                if (_scanner is null)
                    return First(stream);
                return Next(stream);
            }
            catch (Exception error) when (RunsFolder.IsOfFile(error))
            {
                // Unreadable now: what was read stays.
                return false;
            }
        }
    }

    private void Begin()
    {
        _scanner = null;
        _series = new RunSeries();
    }

    private bool First(FileStream stream)
    {
        _scanner = new LineScanner(LongestLine);
        if (stream.Length <= SmallFile)
        {
            Read(stream, long.MaxValue, isShown: false);
            Show(_series, isWhole: true, share: 1);
            return false;
        }
        var sample = MetricsSample.Read(stream);
        Show(sample, isWhole: false, share: 0);
        return true;
    }

    private bool Next(FileStream stream)
    {
        long length = stream.Length;
        if (_scanner!.Position == length)
            return Finish();
        Read(stream, Portion, isShown: ReferenceEquals(_shown, _series));
        bool isMore = _scanner.Position < length;
        lock (_gate)
            _share = length == 0 ? 1 : Math.Min(1, (double)_scanner.Position / length);
        return isMore || Finish();
    }

    /// <summary>What was read takes the place of the sample.</summary>
    private bool Finish()
    {
        if (!ReferenceEquals(_shown, _series))
            Show(_series, isWhole: true, share: 1);
        return false;
    }

    private void Show(RunSeries series, bool isWhole, double share)
    {
        lock (_gate)
            (_shown, _isWhole, _share, _generation) = (series, isWhole, share, _generation + 1);
    }

    private void Read(FileStream stream, long most, bool isShown)
    {
        if (isShown)
            _gate.Enter();
        try
        {
            long bad = 0;
            _scanner!.Read(
                stream,
                line =>
                {
                    if (_record.Read(line))
                        _series.Add(_record);
                    else if (line.Length > 0)
                        bad++;
                },
                most
            );
            _series.UnreadLines += bad;
        }
        finally
        {
            if (isShown)
                _gate.Exit();
        }
    }
}
