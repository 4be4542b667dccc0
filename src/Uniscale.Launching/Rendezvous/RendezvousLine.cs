using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Uniscale.Launching.Rendezvous;

/// <summary>What the first node and the others say to one another: a line of JSON each.</summary>
internal sealed record RendezvousLine
{
    /// <summary>Longer ones are nobody's.</summary>
    private const int LongestLine = 4 << 20;

    private static readonly JsonSerializerOptions Json = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault };

    /// <summary>A node says who it is.</summary>
    public const string Hello = "hello";

    /// <summary>A command is to be run.</summary>
    public const string Run = "run";

    /// <summary>It has written something.</summary>
    public const string Output = "output";

    /// <summary>It has ended.</summary>
    public const string Exit = "exit";

    /// <summary>A node was asked to end: the job is to save.</summary>
    public const string Stop = "stop";

    /// <summary>The job is over.</summary>
    public const string End = "end";

    public string Kind { get; init; } = "";

    /// <summary>The node that speaks.</summary>
    public int Node { get; init; }

    /// <summary>Its host, or the one on which a command is to be run.</summary>
    public string? Host { get; init; }

    /// <summary>Its build of Uniscale.</summary>
    public string? Build { get; init; }

    /// <summary>Number of a command.</summary>
    public int Id { get; init; }

    /// <summary>The command, for a shell; or a sentence.</summary>
    public string? Text { get; init; }

    /// <summary>What it has written.</summary>
    public byte[]? Bytes { get; init; }

    /// <summary>Whether to its error stream.</summary>
    public bool IsError { get; init; }

    /// <summary>Exit code.</summary>
    public int Code { get; init; }

    /// <summary>Has a connection notice in a minute and a half that the other host is gone; by itself the system takes two hours.</summary>
    public static void KeepAlive(Socket socket)
    {
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 30);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 10);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 6);
    }

    /// <summary>Writes the line.</summary>
    public void WriteTo(Stream stream)
    {
        byte[] bytes = [.. JsonSerializer.SerializeToUtf8Bytes(this, Json), (byte)'\n'];
        lock (stream)
        {
            stream.Write(bytes);
            stream.Flush();
        }
    }

    /// <summary>Reads lines until the other side is gone or says what is none.</summary>
    public static IEnumerable<RendezvousLine> ReadAll(Stream stream)
    {
        var line = new MemoryStream();
        byte[] block = new byte[64 << 10];
        while (Read(stream, block) is > 0 and var count)
        {
            foreach (byte value in block.AsMemory(0, count).ToArray())
            {
                if (value != '\n')
                {
                    line.WriteByte(value);
                    continue;
                }
                if (Parse(line.ToArray()) is not { } parsed)
                    yield break;
                yield return parsed;
                line.SetLength(0);
            }
            if (line.Length > LongestLine)
                yield break;
        }
    }

    private static int Read(Stream stream, byte[] block)
    {
        try
        {
            return stream.Read(block);
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException)
        {
            return 0;
        }
    }

    private static RendezvousLine? Parse(byte[] bytes)
    {
        try
        {
            return JsonSerializer.Deserialize<RendezvousLine>(bytes, Json);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
