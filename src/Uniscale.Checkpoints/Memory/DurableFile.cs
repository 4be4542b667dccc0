namespace Uniscale.Checkpoints.Memory;

/// <summary>Small files that are whole and on the disk, or not there.</summary>
internal static class DurableFile
{
    /// <summary>Writes a file, in place of one that may be there.</summary>
    /// <param name="path">The file.</param>
    /// <param name="bytes">What it holds.</param>
    /// <param name="isPrivate">Whether its owner alone may read it.</param>
    public static void Write(string path, byte[] bytes, bool isPrivate = false)
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
}
