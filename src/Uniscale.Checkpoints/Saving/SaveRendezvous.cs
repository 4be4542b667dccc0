using System.Diagnostics;
using System.Text;
using Uniscale.Checkpoints.Memory;

namespace Uniscale.Checkpoints.Saving;

/// <summary>
/// How the writing threads of the ranks meet: by small files in the temporary folder, never by collectives, which belong to training.
/// A rank announces <c>rank-N.durable</c> (with the digest of its digests) or <c>rank-N.failed</c> (with a sentence); rank 0 collects them;
/// the others
/// see the end of the save when the temporary folder is gone.
/// </summary>
internal sealed class SaveRendezvous(string folder, TimeSpan timeout, CancellationToken cancelled)
{
    private const int LongestPauseMilliseconds = 50;

    public void AnnounceDurable(int rank, string tableDigest) =>
        WriteDurably(Path.Combine(folder, DurableName(rank)), Encoding.ASCII.GetBytes(tableDigest));

    public void AnnounceFailure(int rank, string reason) => File.WriteAllText(Path.Combine(folder, FailedName(rank)), reason);

    /// <summary>Waits until every rank is durable; throws with the sentence of one that is not.</summary>
    public string[] CollectAll(int worldSize)
    {
        string[] digests = new string[worldSize];
        for (int rank = 0; rank < worldSize; rank++)
        {
            string durable = Path.Combine(folder, DurableName(rank));
            WaitFor(() => File.Exists(durable) || AnyFailed(), $"rank {rank} to be durable");
            if (!File.Exists(durable) || AnyFailed())
                throw new CheckpointException(FirstFailure());
            digests[rank] = File.ReadAllText(durable);
        }
        return digests;
    }

    /// <summary>Removes the announcements before the commit.</summary>
    public void Clear(int worldSize)
    {
        for (int rank = 0; rank < worldSize; rank++)
            File.Delete(Path.Combine(folder, DurableName(rank)));
    }

    /// <summary>Waits until rank 0 has renamed or deleted the folder.</summary>
    public void AwaitEnd() => WaitFor(() => !Directory.Exists(folder), "rank 0 to commit");

    /// <summary>Writes a file so that it is either whole and on the disk or not there.</summary>
    public static void WriteDurably(string path, byte[] bytes, bool isPrivate = false)
    {
        string temporary = path + ".new";
        using (var file = File.OpenHandle(temporary, FileMode.Create, FileAccess.Write))
        {
            if (isPrivate && !OperatingSystem.IsWindows())
                File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            RandomAccess.Write(file, bytes, 0);
            RandomAccess.FlushToDisk(file);
        }
        File.Move(temporary, path, overwrite: true);
        Posix.SyncDirectory(Path.GetDirectoryName(path)!);
    }

    private static string DurableName(int rank) => $"rank-{rank:00000}.durable";

    private static string FailedName(int rank) => $"rank-{rank:00000}.failed";

    private bool AnyFailed() => Directory.EnumerateFiles(folder, "*.failed").Any();

    private string FirstFailure() =>
        Directory.GetFiles(folder, "*.failed").Order(StringComparer.Ordinal).Select(File.ReadAllText).FirstOrDefault() ?? "a rank failed";

    private void WaitFor(Func<bool> condition, string what)
    {
        var clock = Stopwatch.StartNew();
        for (int pause = 1; !condition(); pause = Math.Min(2 * pause, LongestPauseMilliseconds))
        {
            if (clock.Elapsed > timeout)
                throw new CheckpointException($"waited {timeout.TotalSeconds:0} s for {what}, in vain");
            if (cancelled.WaitHandle.WaitOne(pause))
                throw new CheckpointException($"the run ended while the save waited for {what}");
        }
    }
}
