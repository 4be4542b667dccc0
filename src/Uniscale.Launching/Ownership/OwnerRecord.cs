using System.Text;
using System.Text.Json;

namespace Uniscale.Launching.Ownership;

/// <summary>
/// Who works in a directory, as its file tells: one line of JSON, filled up to a size that never changes, so that a full disk can be
/// written over.
/// </summary>
/// <param name="Token">Another for every taking.</param>
/// <param name="Process">The owner.</param>
/// <param name="Beat">Counts up while the owner lives.</param>
/// <param name="IsReleased">The owner has left in order.</param>
internal sealed record OwnerRecord(string Token, ProcessIdentity Process, long Beat, bool IsReleased)
{
    private const int SizeBytes = 1024;

    /// <summary>The record of a file; null: there is none, or none that can be read.</summary>
    public static OwnerRecord? Read(string path)
    {
        try
        {
            using var file = Open(path, FileMode.Open, FileAccess.Read);
            byte[] bytes = new byte[SizeBytes];
            int length = RandomAccess.Read(file, bytes, 0);
            return
                JsonSerializer.Deserialize<OwnerRecord>(bytes.AsSpan(0, length))
                    is { Token: not null, Process: { Host: not null, Place: not null } } record
                ? record
                : null;
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Writes the record over what is there, in one piece.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mode">Whether it may, or must, be new.</param>
    public void Write(string path, FileMode mode)
    {
        using var file = Open(path, mode, FileAccess.Write);
        RandomAccess.Write(file, Encoding.UTF8.GetBytes(JsonSerializer.Serialize(this).PadRight(SizeBytes)), 0);
    }

    private static Microsoft.Win32.SafeHandles.SafeFileHandle Open(string path, FileMode mode, FileAccess access) =>
        File.OpenHandle(path, mode, access, FileShare.ReadWrite | FileShare.Delete);
}
