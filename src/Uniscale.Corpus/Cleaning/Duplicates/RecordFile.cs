using System.Runtime.InteropServices;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Files of records of one size, as they lie in memory; they live as long as one cleaning.</summary>
internal static class RecordFile
{
    private const int BufferedRecords = 4096;

    /// <summary>Records in a file.</summary>
    public static long Count<T>(string path)
        where T : unmanaged => new FileInfo(path).Length / Size<T>();

    /// <summary>The records of a file, a buffer at a time.</summary>
    public static IEnumerable<T> Read<T>(string path)
        where T : unmanaged
    {
        using var file = File.OpenRead(path);
        var buffer = new T[BufferedRecords];
        while (
            file.ReadAtLeast(MemoryMarshal.AsBytes(buffer.AsSpan()), buffer.Length * Size<T>(), throwOnEndOfStream: false) / Size<T>()
                is > 0
                    and var count
        )
            for (int i = 0; i < count; i++)
                yield return buffer[i];
    }

    private static int Size<T>()
        where T : unmanaged => System.Runtime.CompilerServices.Unsafe.SizeOf<T>();

    /// <summary>Appends records to a new file.</summary>
    public sealed class Writer<T>(string path) : IDisposable
        where T : unmanaged
    {
        private readonly FileStream _file = new(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16);

        public void Add(T record) => _file.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in record)));

        public void Add(ReadOnlySpan<T> records) => _file.Write(MemoryMarshal.AsBytes(records));

        public void Dispose() => _file.Dispose();
    }
}
