using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Uniscale.Launching.Rendezvous;

/// <summary>A node other than the first: runs what the first wants run here, until the job is over.</summary>
/// <param name="place">Its place.</param>
/// <param name="build">This build of Uniscale.</param>
/// <param name="say">Takes sentences for the user.</param>
/// <param name="host">Name of its host; null: this machine's.</param>
public sealed class RendezvousNode(RendezvousPlace place, string build, Action<string> say, string? host = null)
{
    /// <summary>Marks the processes that were started here, so that all of them can be ended.</summary>
    private const string Variable = "UNISCALE_RENDEZVOUS_NODE";

    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);

    private readonly string _mark = Guid.NewGuid().ToString("n");

    /// <summary>Serves until the job is over.</summary>
    /// <param name="limit">How long the first node is waited for.</param>
    /// <returns>Exit code of the job.</returns>
    public int Run(TimeSpan limit)
    {
        if (Connect(limit) is not { } connection)
        {
            say($"uniscale: nobody answers at tcp://{place.Host}:{place.Port} after {limit.TotalSeconds:0} s: is node 0 running, and may this node reach it?");
            return 1;
        }
        using (connection)
        {
            var stream = connection.GetStream();
            new RendezvousLine
            {
                Kind = RendezvousLine.Hello,
                Node = place.Node,
                Host = host ?? Environment.MachineName,
                Build = build,
            }.WriteTo(stream);
            using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Asked);
            using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Asked);
            try
            {
                return Serve(stream);
            }
            finally
            {
                EndAll();
            }

            void Asked(PosixSignalContext context)
            {
                context.Cancel = true;
                Tell(stream, new RendezvousLine { Kind = RendezvousLine.Stop, Node = place.Node });
            }
        }
    }

    private int Serve(NetworkStream stream)
    {
        foreach (var line in RendezvousLine.ReadAll(stream))
        {
            if (line.Kind == RendezvousLine.Run && line.Text is not null)
                _ = Task.Factory.StartNew(() => RunCommand(stream, line), TaskCreationOptions.LongRunning);
            if (line.Kind != RendezvousLine.End)
                continue;
            if (line.Text is not null)
                say($"uniscale: {line.Text}");
            return line.Code;
        }
        say($"uniscale: node 0 at {place.Host} is gone; what ran here has been ended.");
        return 1;
    }

    private TcpClient? Connect(TimeSpan limit)
    {
        for (long start = Stopwatch.GetTimestamp(); ; Thread.Sleep(Retry))
        {
            var client = new TcpClient();
            try
            {
                client.Connect(place.Host, place.Port);
                RendezvousLine.KeepAlive(client.Client);
                return client;
            }
            catch (SocketException)
            {
                client.Dispose();
                if (Stopwatch.GetElapsedTime(start) > limit)
                    return null;
            }
        }
    }

    private void RunCommand(Stream stream, RendezvousLine line)
    {
        using var process = Process.Start(
            new ProcessStartInfo("sh", ["-c", line.Text!])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment = { [Variable] = _mark },
            }
        )!;
        process.StandardInput.Close();
        var error = Task.Factory.StartNew(() => Relay(process.StandardError.BaseStream, isError: true), TaskCreationOptions.LongRunning);
        Relay(process.StandardOutput.BaseStream, isError: false);
        error.Wait();
        process.WaitForExit();
        Tell(
            stream,
            new RendezvousLine
            {
                Kind = RendezvousLine.Exit,
                Id = line.Id,
                Code = process.ExitCode,
            }
        );

        void Relay(Stream from, bool isError)
        {
            byte[] block = new byte[16 << 10];
            while (from.Read(block) is > 0 and var count)
                Tell(
                    stream,
                    new RendezvousLine
                    {
                        Kind = RendezvousLine.Output,
                        Id = line.Id,
                        Bytes = block[..count],
                        IsError = isError,
                    }
                );
        }
    }

    private static void Tell(Stream stream, RendezvousLine line)
    {
        try
        {
            line.WriteTo(stream);
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException)
        {
            // The reader of this connection will notice that it is gone.
        }
    }

    /// <summary>Daemons of mpirun leave the shell that starts them, so they are known by their environment.</summary>
    private void EndAll()
    {
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out int id) || id == Environment.ProcessId)
                continue;
            try
            {
                if (File.ReadAllText(Path.Combine(folder, "environ")).Split('\0').Contains($"{Variable}={_mark}"))
                    Process.GetProcessById(id).Kill();
            }
            catch (Exception gone)
                when (gone is IOException or UnauthorizedAccessException or ArgumentException or InvalidOperationException)
            {
                // It ended by itself, or is another user's.
            }
        }
    }
}
