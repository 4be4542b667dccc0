using System.Net.Sockets;

namespace Uniscale.Launching.Rendezvous;

/// <summary>What mpirun calls in place of ssh: has a command run on a node that has come to the rendezvous.</summary>
public static class RemoteShell
{
    /// <summary>The first word of this program's command line when it is called so.</summary>
    public const string Command = "launch-on";

    /// <summary>What ssh returns where it could not do what it was asked to.</summary>
    private const int NotRun = 255;

    /// <summary>Runs a command elsewhere.</summary>
    /// <param name="arguments">As ssh has them: options, the host, the words of the command.</param>
    /// <returns>Its exit code; 255: it could not be run.</returns>
    public static int Run(IReadOnlyList<string> arguments)
    {
        using var output = Console.OpenStandardOutput();
        using var error = Console.OpenStandardError();
        return Run(arguments, Environment.GetEnvironmentVariable(RendezvousServer.Variable), output, error);
    }

    internal static int Run(IReadOnlyList<string> arguments, string? path, Stream output, Stream error)
    {
        string[] words = [.. arguments.SkipWhile(word => word.StartsWith('-'))];
        if (words.Length < 2 || string.IsNullOrEmpty(path))
            return NotRun;
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException)
        {
            return NotRun;
        }
        using var stream = new NetworkStream(socket);
        new RendezvousLine
        {
            Kind = RendezvousLine.Run,
            Host = words[0],
            Text = string.Join(' ', words.Skip(1)),
        }.WriteTo(stream);
        foreach (var line in RendezvousLine.ReadAll(stream))
        {
            if (line.Kind == RendezvousLine.Exit)
                return line.Code;
            (line.IsError ? error : output).Write(line.Bytes ?? []);
        }
        return NotRun;
    }
}
