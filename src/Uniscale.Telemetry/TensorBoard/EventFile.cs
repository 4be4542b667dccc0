using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;

namespace Uniscale.Telemetry.TensorBoard;

/// <summary>
/// A TensorBoard event file: records of length, its checksum, data, and the data's checksum; the data are Event messages
/// (tensorflow/core/util/event.proto), of which a few fields are written by hand.
/// </summary>
public sealed class EventFile : IDisposable
{
    /// <summary>Names of event files.</summary>
    internal const string Pattern = "events.out.tfevents.*";

    private readonly FileStream _stream;

    // Used again for every record: a run writes one a step.
    private readonly ProtobufMessage _entry = new();
    private readonly ProtobufMessage _summary = new();
    private readonly ProtobufMessage _value = new();
    private readonly ArrayBufferWriter<byte> _record = new();

    /// <summary>Creates a new file in <paramref name="directory"/>, named so that TensorBoard finds it and orders it by time.</summary>
    public EventFile(string directory)
    {
        Directory.CreateDirectory(directory);
        long seconds = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        for (int attempt = 0; ; attempt++)
        {
            FilePath = Path.Combine(
                directory,
                $"events.out.tfevents.{seconds:D10}.{Environment.MachineName}.{Environment.ProcessId}.{attempt}"
            );
            if (!File.Exists(FilePath))
                break;
        }
        _stream = new FileStream(FilePath, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        Begin();
    }

    /// <summary>Makes the file of a name, or makes it anew.</summary>
    /// <param name="directory">Where it lies.</param>
    /// <param name="name">What it is of, which ends its name.</param>
    internal EventFile(string directory, string name)
    {
        Directory.CreateDirectory(directory);
        FilePath = Path.Combine(directory, $"events.out.tfevents.{0:D10}.{name}");
        _stream = new FileStream(FilePath, FileMode.Create, FileAccess.Write, FileShare.Read);
        Begin();
    }

    /// <summary>Path of the file.</summary>
    public string FilePath { get; }

    /// <summary>Writes numbers of one step, each under a tag such as <c>train/loss</c>.</summary>
    public void Scalars(long step, params IReadOnlyList<(string Tag, double Number)> scalars)
    {
        _summary.Clear();
        foreach (var (tag, number) in scalars)
            _summary.Nested(1, _value.Clear().Text(1, tag).Float(2, (float)number));
        Write(Event(step).Nested(5, _summary));
    }

    /// <summary>Writes a text of one step, for TensorBoard's page of texts: a tensor of one string, marked for that plugin.</summary>
    public void Text(long step, string tag, string text)
    {
        const int stringType = 7;
        var plugin = new ProtobufMessage().Nested(1, new ProtobufMessage().Text(1, "text"));
        var shape = new ProtobufMessage().Nested(2, new ProtobufMessage().Integer(1, 1));
        var tensor = new ProtobufMessage().Integer(1, stringType).Nested(2, shape).Text(8, text);
        _summary.Clear().Nested(1, _value.Clear().Text(1, tag).Nested(8, tensor).Nested(9, plugin));
        Write(Event(step).Nested(5, _summary));
    }

    /// <summary>Writes how numbers are spread, for TensorBoard's pages of histograms and distributions (HistogramProto).</summary>
    public void Histogram(long step, string tag, ValueHistogram values)
    {
        // Readers take the least and the greatest number as ends of the outer bins.
        bool hasAny = values.Count > 0;
        var bins = hasAny ? values.Bins : [(0, 0)];
        var histogram = new ProtobufMessage()
            .Double(1, hasAny ? values.Least : 0)
            .Double(2, hasAny ? values.Greatest : 0)
            .Double(3, values.Count)
            .Double(4, values.Sum)
            .Double(5, values.SumOfSquares)
            .Doubles(6, [.. bins.Select(bin => bin.UpTo)])
            .Doubles(7, [.. bins.Select(bin => (double)bin.Count)]);
        _summary.Clear().Nested(1, _value.Clear().Text(1, tag).Nested(5, histogram));
        Write(Event(step).Nested(5, _summary));
    }

    /// <summary>Says that a run begins at <paramref name="step"/>: readers drop what earlier files hold from there on.</summary>
    public void SessionStart(long step) => Write(Event(step).Nested(7, _value.Clear().Integer(1, 1)));

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    /// <summary>
    /// Masked CRC-32C of the record format: rotated right by 15 and offset, since a checksum of data that holds checksums is weak.
    /// </summary>
    internal static uint MaskedChecksum(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in data)
            crc = BitOperations.Crc32C(crc, value);
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
    }

    /// <summary>Writes what a plugin keeps in the metadata of a value that itself says nothing.</summary>
    /// <param name="tag">Name of the value.</param>
    /// <param name="plugin">Name of the plugin.</param>
    /// <param name="content">The plugin's own message.</param>
    internal void Metadata(string tag, string plugin, ProtobufMessage content)
    {
        const int floatType = 1,
            tensorClass = 2;
        var metadata = new ProtobufMessage().Nested(1, new ProtobufMessage().Text(1, plugin).Nested(2, content)).Integer(4, tensorClass);
        var shape = new ProtobufMessage().Nested(2, new ProtobufMessage().Integer(1, 1));
        var nothing = new ProtobufMessage().Integer(1, floatType).Nested(2, shape).Float(5, 0);
        _summary.Clear().Nested(1, _value.Clear().Text(1, tag).Nested(8, nothing).Nested(9, metadata));
        Write(Event(0).Nested(5, _summary));
    }

    private void Begin() => Write(Event(0).Text(3, "brain.Event:2"));

    private ProtobufMessage Event(long step) =>
        _entry.Clear().Double(1, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0).Integer(2, step);

    private void Write(ProtobufMessage message)
    {
        var data = message.Content;
        _record.ResetWrittenCount();
        BinaryPrimitives.WriteUInt64LittleEndian(_record.GetSpan(8), (ulong)data.Length);
        _record.Advance(8);
        Checksum(_record.WrittenSpan);
        _record.Write(data);
        Checksum(data);
        _stream.Write(_record.WrittenSpan);
        _stream.Flush();
    }

    private void Checksum(ReadOnlySpan<byte> data)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_record.GetSpan(4), MaskedChecksum(data));
        _record.Advance(4);
    }
}
