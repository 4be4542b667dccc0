using System.Security.Cryptography;
using Uniscale.Configuration;

namespace Uniscale.Launching.Ownership;

/// <summary>
/// Keeps a directory for one process. Two things say who has it: a lock of the kernel, which is gone with its process however that ends,
/// and a record of the
/// owner with a beat, for file systems whose locks do not reach other hosts. A record without a living process is taken over: at once where
/// the process can
/// be seen to be gone, else once its beat has stood still for <see cref="StandstillTime"/>.
/// </summary>
public sealed class DirectoryLock : IDisposable
{
    private static readonly TimeSpan BeatPeriod = TimeSpan.FromSeconds(5);

    /// <summary>A killed process gives up its lock only when its memory is taken down.</summary>
    private static readonly TimeSpan EndingTime = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    private readonly string _directory;
    private readonly string _ownerFile;
    private readonly FileStream _kernelLock;
    private readonly Timer _timer;
    private readonly Lock _gate = new();
    private OwnerRecord _record;
    private bool _isDisposed;
    private volatile OwnerRecord? _successor;

    private DirectoryLock(string directory, string name, FileStream kernelLock)
    {
        (_directory, _ownerFile, _kernelLock) = (directory, OwnerFile(directory, name), kernelLock);
        _record = new OwnerRecord(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)), ProcessIdentity.Own, 0, IsReleased: false);
        _record.Write(_ownerFile, FileMode.OpenOrCreate);
        // The first look comes soon: where locks of the kernel do not reach, two may have taken over the same record.
        _timer = new Timer(_ => Beat(), null, TimeSpan.FromSeconds(1), BeatPeriod);
    }

    /// <summary>How long the beat of an owner that cannot be seen must stand still before it counts as gone.</summary>
    public static TimeSpan StandstillTime { get; } = 4 * BeatPeriod;

    /// <summary>Takes a directory.</summary>
    /// <param name="directory">The directory; made if it is not there.</param>
    /// <param name="name">What is taken, as the name of its two files.</param>
    /// <param name="what">The same in a sentence, for example "The run".</param>
    /// <param name="say">Hears why taking waits; null: nobody.</param>
    /// <exception cref="UserErrorException">Another process has it.</exception>
    public static DirectoryLock Take(string directory, string name, string what, Action<string>? say = null) =>
        Take(directory, name, what, say, StandstillTime);

    /// <param name="directory">The directory.</param>
    /// <param name="name">Name of its files.</param>
    /// <param name="what">The same in a sentence.</param>
    /// <param name="say">Hears why taking waits.</param>
    /// <param name="standstill">How long the beat of an owner that cannot be seen must stand still.</param>
    internal static DirectoryLock Take(string directory, string name, string what, Action<string>? say, TimeSpan standstill)
    {
        Directory.CreateDirectory(directory);
        string owner = OwnerFile(directory, name);
        var kernelLock = LockKernel(Path.Combine(directory, name + ".lock")) ?? throw InUse(what, directory, OwnerRecord.Read(owner));
        try
        {
            if (OwnerRecord.Read(owner) is { IsReleased: false } earlier && Lives(earlier, owner, say, standstill))
                throw InUse(what, directory, earlier);
            return new DirectoryLock(directory, name, kernelLock);
        }
        catch
        {
            kernelLock.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Refuses to go on where another process has taken the directory over, as it may when this one was stopped for long.
    /// </summary>
    /// <exception cref="DirectoryLostException">It has.</exception>
    public void ThrowIfLost()
    {
        if (_successor is { } other)
            throw new DirectoryLostException(
                $"{_directory} was taken over by process {other.Process.ProcessId} on {other.Process.Host} while this process did not run: it ends and saves nothing more."
            );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer.Dispose();
        lock (_gate)
        {
            if (_isDisposed)
                return;
            _isDisposed = true;
            Tolerating(() =>
            {
                if (OwnerRecord.Read(_ownerFile)?.Token == _record.Token)
                    (_record with { IsReleased = true }).Write(_ownerFile, FileMode.Open);
            });
            _kernelLock.Dispose();
        }
    }

    /// <summary>Whether a path is another directory than one that this process holds, and not another way to it.</summary>
    public static bool IsApart(string held, string path, string name) =>
        OwnerRecord.Read(OwnerFile(path, name))?.Token is not { } token || token != OwnerRecord.Read(OwnerFile(held, name))?.Token;

    internal static string OwnerFile(string directory, string name) => Path.Combine(directory, name + ".owner");

    /// <summary>Counts up, and looks who else does.</summary>
    internal void Beat()
    {
        lock (_gate)
        {
            if (_isDisposed || _successor is not null)
                return;
            Tolerating(() =>
            {
                // A file that was deleted is made again, unless another has made it.
                var found = OwnerRecord.Read(_ownerFile);
                if (found is not null && found.Token != _record.Token)
                {
                    _successor = found;
                    return;
                }
                _record = _record with { Beat = _record.Beat + 1 };
                _record.Write(_ownerFile, found is null && !File.Exists(_ownerFile) ? FileMode.CreateNew : FileMode.Open);
            });
        }
    }

    /// <summary>A beat that cannot be written is made up for by the next; a disk that is away must not end the run.</summary>
    private static void Tolerating(Action write)
    {
        try
        {
            write();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // See above.
        }
    }

    private static FileStream? LockKernel(string path)
    {
        for (var waited = TimeSpan.Zero; ; waited += Poll)
        {
            try
            {
                // FileShare.None is an exclusive lock of the kernel (flock).
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException held) when (held is not (DirectoryNotFoundException or PathTooLongException) && File.Exists(path))
            {
                if (waited >= EndingTime)
                    return null;
                Thread.Sleep(Poll);
            }
        }
    }

    private static bool Lives(OwnerRecord earlier, string owner, Action<string>? say, TimeSpan standstill)
    {
        if (earlier.Process.IsAlive() is { } isAlive)
            return isAlive;
        say?.Invoke(
            $"{Path.GetDirectoryName(owner)} was last used by process {earlier.Process.ProcessId} on {earlier.Process.Host}, which did not leave in order: "
                + $"looking for {standstill.TotalSeconds:0} s whether it still lives."
        );
        for (var waited = TimeSpan.Zero; waited < standstill; waited += Poll)
        {
            Thread.Sleep(Poll);
            if (OwnerRecord.Read(owner) is { } now && (now.Token != earlier.Token || now.Beat != earlier.Beat))
                return !now.IsReleased;
        }
        return false;
    }

    private static UserErrorException InUse(string what, string directory, OwnerRecord? owner)
    {
        string who = owner is null ? "another process" : $"process {owner.Process.ProcessId} on {owner.Process.Host}";
        return new($"{what} in {directory} is in use by {who}: wait for its end, or stop it; two at once would delete each other's files.");
    }
}

/// <summary>Another process works where this one did.</summary>
public sealed class DirectoryLostException : Exception
{
    /// <inheritdoc/>
    public DirectoryLostException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public DirectoryLostException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public DirectoryLostException() { }
}
