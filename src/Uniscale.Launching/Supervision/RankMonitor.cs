using System.Globalization;
using System.IO.MemoryMappedFiles;
using Uniscale.Collectives;
using Uniscale.Collectives.Journal;

namespace Uniscale.Launching.Supervision;

/// <summary>What a training loop tells its supervisor.</summary>
public interface IRunMonitor
{
    /// <summary>A step is done.</summary>
    void Beat(long step);

    /// <summary>Something begins that may take longer than a step, such as a save; it ends with the disposal of the result.</summary>
    IDisposable Busy(string what);

    /// <summary>Why the rank's supervisor sees less of it than it should; null: it sees all.</summary>
    string? Problem => null;
}

/// <summary>
/// Writes this rank's signs of life and its journal of collectives into memory-mapped files of a folder, where they can be read while
/// the rank hangs and after it was killed.
/// </summary>
public sealed class RankMonitor : IRunMonitor, IDisposable
{
    internal static readonly TimeSpan AlivePeriod = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly MemoryMappedViewAccessor? _file;
    private readonly Timer _timer;
    private HeartbeatSlot _slot;
    private bool _isDisposed;

    /// <param name="folder">Folder of the job; made if it is not there.</param>
    /// <param name="world">This rank; its journal goes into the folder too.</param>
    /// <param name="local">A folder on this host from which others bring both there; null: they are written there themselves.</param>
    public RankMonitor(string folder, IWorld world, string? local = null)
    {
        Directory.CreateDirectory(folder);
        try
        {
            _file = ReservedFile.Create(Heartbeat.PathOf(local ?? folder, world.Rank), HeartbeatSlot.SizeBytes);
            world.Journal.AttachFile(JournalPath(local ?? folder, world.Rank));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Problem =
                $"The signs of life of rank {world.Rank} cannot be written to {local ?? folder} ({error.Message.TrimEnd('.')}): training goes on, but a hang of it is not noticed.";
            if (_file is null)
                SayUnwatched(folder, world.Rank);
        }
        _slot = new HeartbeatSlot { Rank = world.Rank, ProcessId = Environment.ProcessId };
        _slot.SetHost(Environment.MachineName);
        _slot.SetBusy(Heartbeat.Starting);
        Write(moved: true);
        _timer = new Timer(_ => Write(moved: false), null, AlivePeriod, AlivePeriod);
    }

    /// <inheritdoc/>
    public string? Problem { get; }

    /// <summary>Whether a rank has come that could not make the file of its heartbeat.</summary>
    internal static bool IsUnwatched(string folder, int rank) => File.Exists(UnwatchedPath(folder, rank));

    /// <summary>The journal file of a rank.</summary>
    public static string JournalPath(string folder, int rank) =>
        Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"rank-{rank:D5}.journal"));

    /// <summary>Says that a step was done.</summary>
    public void Beat(long step)
    {
        lock (_gate)
        {
            _slot.Step = step;
            _slot.SetBusy("");
            Write(moved: true);
        }
    }

    /// <summary>Says that something takes its time until the result is disposed.</summary>
    public IDisposable Busy(string what)
    {
        lock (_gate)
        {
            _slot.SetBusy(what);
            Write(moved: true);
        }
        return new End(this);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer.Dispose();
        lock (_gate)
        {
            if (_isDisposed)
                return;
            _slot.SetBusy(Heartbeat.Ended);
            Write(moved: true);
            _isDisposed = true;
            _file?.Dispose();
        }
    }

    /// <summary>An empty file needs no room.</summary>
    private static void SayUnwatched(string folder, int rank)
    {
        try
        {
            File.Create(UnwatchedPath(folder, rank)).Dispose();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The supervisor will miss the rank, and say so.
        }
    }

    private static string UnwatchedPath(string folder, int rank) =>
        Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"rank-{rank:D5}.unwatched"));

    private void Write(bool moved)
    {
        lock (_gate)
        {
            if (_isDisposed)
                return;
            _slot.AliveTicks = DateTime.UtcNow.Ticks;
            if (moved)
                _slot.MovedTicks = _slot.AliveTicks;
            _file?.Write(0, ref _slot);
        }
    }

    private sealed class End(RankMonitor owner) : IDisposable
    {
        public void Dispose()
        {
            lock (owner._gate)
            {
                owner._slot.SetBusy("");
                owner.Write(moved: true);
            }
        }
    }
}
