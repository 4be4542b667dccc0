using System.Collections.Concurrent;
using Uniscale.Checkpoints.Memory;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Format;

/// <summary>
/// A run of bytes of a file that one rank wrote: its parts without gaps, the digests of their chunks, and zeros up to the next page. The
/// parts are ordered by the
/// width of their elements, the widest first, then by tensor in the order of the manifest, then by place; so their places in the file
/// follow from the tilings.
/// </summary>
/// <param name="File">Index into the manifest's files.</param>
/// <param name="Start">First byte within the file.</param>
/// <param name="SizeBytes">Bytes, a multiple of a page.</param>
/// <param name="Digest">Digest of all that follows the parts.</param>
internal sealed record ShardRecord(int File, long Start, long SizeBytes, string Digest);

/// <summary>The parts of format 2: places follow from the tilings, digests lie in the files.</summary>
/// <param name="files">Files.</param>
/// <param name="shards">Shards, those of a file one after another.</param>
/// <param name="tilings">How tensors are cut.</param>
/// <param name="tensors">Type and tiling of each tensor.</param>
/// <param name="chunkBytes">Bytes that one digest covers.</param>
internal sealed class TiledParts(
    IReadOnlyList<FileRecord> files,
    IReadOnlyList<ShardRecord> shards,
    IReadOnlyList<Tiling> tilings,
    IReadOnlyList<(ElementType Type, int Tiling)> tensors,
    int chunkBytes
) : IPartMap
{
    private readonly ConcurrentDictionary<int, ShardPlaces> _places = new();
    private readonly int[] _order = OrderOf([.. tensors.Select(tensor => tensor.Type)]);
    private readonly ILookup<int, int> _shardsOfFile = Enumerable.Range(0, shards.Count).ToLookup(shard => shards[shard].File);

    /// <summary>Indices of tensors in the order in which their parts lie in a shard.</summary>
    public static int[] OrderOf(ElementType[] types) =>
        [.. Enumerable.Range(0, types.Length).OrderByDescending(tensor => types[tensor].SizeBytes())];

    /// <summary>Bytes of a shard, given those of its parts and how many digests they have.</summary>
    public static long SizeOf(long partBytes, long digestCount) =>
        PageMemory.RoundUp(partBytes + digestCount * Digest.SizeBytes, PageMemory.PageBytes);

    public IEnumerable<StoredPart> Of(int tensor, Box wanted)
    {
        var tiling = tilings[tensors[tensor].Tiling];
        foreach (int part in tiling.Touching(wanted))
        {
            int shard = tiling.ShardOf(part);
            yield return _places.GetOrAdd(shard, Places).PartsOf(tensor).First(found => found.Number == part).Part;
        }
    }

    public IEnumerable<(int Tensor, StoredPart Part)> In(int file)
    {
        foreach (int shard in _shardsOfFile[file])
        {
            var places = Places(shard);
            foreach (int tensor in places.Tensors)
                foreach (var (_, part) in places.PartsOf(tensor))
                    yield return (tensor, part);
        }
    }

    public IEnumerable<DigestTable> TablesIn(int file)
    {
        foreach (int shard in _shardsOfFile[file])
        {
            long start = Places(shard).TableStart;
            yield return new DigestTable(start, shards[shard].Start + shards[shard].SizeBytes - start, shards[shard].Digest);
        }
    }

    private ShardPlaces Places(int shard)
    {
        var record = shards[shard];
        var places = new ShardPlaces(this, record, [.. tilings.Select(tiling => tiling.In(shard))]);
        return
            places.TableStart <= files[record.File].SizeBytes
            && SizeOf(places.TableStart - record.Start, places.DigestCount) == record.SizeBytes
            ? places
            : throw new CheckpointDamagedException(
                $"the manifest gives {files[record.File].Name} {record.SizeBytes} bytes from byte {record.Start}, which are not those of its parts"
            );
    }

    /// <summary>Where the parts of a shard lie.</summary>
    private sealed class ShardPlaces
    {
        private readonly TiledParts _map;
        private readonly ShardRecord _record;
        private readonly (int First, int End)[] _ranges;
        private readonly List<int> _tensors = [];
        private readonly Dictionary<int, (long Start, long Digest)> _firsts = [];

        public ShardPlaces(TiledParts map, ShardRecord record, (int First, int End)[] ranges)
        {
            (_map, _record, _ranges) = (map, record, ranges);
            var place = (Start: record.Start, Digest: 0L);
            foreach (int tensor in map._order)
            {
                var (first, end) = ranges[map.TilingOf(tensor)];
                if (first == end)
                    continue;
                _tensors.Add(tensor);
                _firsts.Add(tensor, place);
                for (int part = first; part < end; part++)
                    place = After(place, tensor, part);
                if (place.Start > map.SizeOf(record.File))
                    break;
            }
            (TableStart, DigestCount) = place;
        }

        /// <summary>First byte behind the parts.</summary>
        public long TableStart { get; }

        /// <summary>Digests of all parts.</summary>
        public long DigestCount { get; }

        /// <summary>Tensors with parts here, in their order.</summary>
        public IReadOnlyList<int> Tensors => _tensors;

        /// <summary>Parts of a tensor, with their numbers in its tiling.</summary>
        public IEnumerable<(int Number, StoredPart Part)> PartsOf(int tensor)
        {
            var (first, end) = _ranges[_map.TilingOf(tensor)];
            var place = _firsts[tensor];
            for (int part = first; part < end; part++)
            {
                yield return (
                    part,
                    new StoredPart(_record.File, place.Start, _map.BoxOf(tensor, part), TableStart + place.Digest * Digest.SizeBytes)
                );
                place = After(place, tensor, part);
            }
        }

        private (long Start, long Digest) After((long Start, long Digest) place, int tensor, int part)
        {
            long bytes = _map.BytesOf(tensor, part);
            return (place.Start + Math.Min(bytes, long.MaxValue - place.Start), place.Digest + Digest.ChunkCount(bytes, _map.ChunkBytes));
        }
    }

    private int ChunkBytes => chunkBytes;

    private int TilingOf(int tensor) => tensors[tensor].Tiling;

    private long SizeOf(int file) => files[file].SizeBytes;

    private Box BoxOf(int tensor, int part) => tilings[TilingOf(tensor)].BoxOf(part);

    private long BytesOf(int tensor, int part) => tilings[TilingOf(tensor)].ElementsOf(part) * tensors[tensor].Type.SizeBytes();
}
