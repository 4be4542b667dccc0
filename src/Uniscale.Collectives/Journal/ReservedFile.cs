using System.IO.MemoryMappedFiles;

namespace Uniscale.Collectives.Journal;

/// <summary>
/// Small files that are written through memory. Such a file gets its room on the disk when it is made: pages of one that is sparse are
/// looked for when they are
/// first written, and where the disk is full by then, the kernel ends the process.
/// </summary>
public static class ReservedFile
{
    /// <summary>Makes a file of zeros, in place of one that may be there, and maps it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="sizeBytes">Its size, which must fit into memory.</param>
    /// <exception cref="IOException">It cannot be made, or there is no room for it.</exception>
    public static MemoryMappedViewAccessor Create(string path, int sizeBytes)
    {
        // Not every file system can preallocate; all can be written to.
        var file = new FileStream(
            path,
            new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.ReadWrite,
                Share = FileShare.ReadWrite,
                PreallocationSize = sizeBytes,
                BufferSize = 0,
            }
        );
        try
        {
            file.Write(new byte[sizeBytes]);
            using var map = MemoryMappedFile.CreateFromFile(
                file,
                null,
                sizeBytes,
                MemoryMappedFileAccess.ReadWrite,
                HandleInheritability.None,
                leaveOpen: false
            );
            return map.CreateViewAccessor();
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}
