using System.CommandLine;
using System.Net;
using System.Runtime.InteropServices;
using Uniscale.Cli.Curricula;
using Uniscale.Configuration;
using Uniscale.Dashboard;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale dashboard</c>: a web page over a folder of runs.</summary>
internal static class DashboardCommand
{
    private const int LongestToken = 4_096;

    public static Command Create()
    {
        var folder = new Argument<string>("RUNS_FOLDER") { Description = "Folder that holds the runs.", DefaultValueFactory = _ => "runs" };
        var port = new Option<int>("--port") { Description = "Port to listen on; 0: any that is free.", DefaultValueFactory = _ => 8686 };
        var address = new Option<string>("--address")
        {
            Description = "Address to listen on; one that is not this machine's own needs --token.",
            DefaultValueFactory = _ => "127.0.0.1",
        };
        var token = new Option<string?>("--token")
        {
            Description = "File with the token that a viewer must show, of 16 characters or more.",
            HelpName = "FILE",
        };
        var requests = new Option<bool>("--allow-requests") { Description = "Let the page ask runs to save and to stop." };
        var shards = new Option<bool>("--read-shards")
        {
            Description =
                "Show what runs are fed, with text: reads the shards and tokenizers that their configurations name, wherever they lie.",
        };
        var command = new Command(
            "dashboard",
            "Serve a web page over a folder of runs: live curves, comparison, logs, timelines, checkpoints, sweeps. It reads files only."
        )
        {
            folder,
            port,
            address,
            token,
            requests,
            shards,
        };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(port) is < 0 or > 65_535)
                throw new UserErrorException($"--port {parsed.GetValue(port)} is no port: give 0 to 65535.");
            if (!IPAddress.TryParse(parsed.GetValue(address), out var listen))
                throw new UserErrorException($"--address {parsed.GetValue(address)} is no address: give one such as 127.0.0.1 or 0.0.0.0.");
            var options = new DashboardOptions
            {
                Folder = parsed.GetValue(folder)!,
                Port = parsed.GetValue(port),
                Address = listen,
                Token = parsed.GetValue(token) is { } file ? TokenOf(file) : null,
                AllowsRequests = parsed.GetValue(requests),
                Curriculum = parsed.GetValue(shards) ? new CurriculumText() : null,
            };
            Serve(options, parsed.InvocationConfiguration.Output).GetAwaiter().GetResult();
            return 0;
        });
        return command;
    }

    private static async Task Serve(DashboardOptions options, TextWriter output)
    {
        await using var host = await DashboardHost.StartAsync(options);
        var over = new TaskCompletionSource();
        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            over.TrySetResult();
        }
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        output.WriteLine(
            $"The runs in {Path.GetFullPath(options.Folder)}: {host.Address}{(options.Token is null ? "" : "/?token=TOKEN")} (Ctrl-C ends it)"
        );
        output.Flush();
        await over.Task;
    }

    private static string TokenOf(string file)
    {
        try
        {
            string text = new FileInfo(file).Length <= LongestToken ? File.ReadAllText(file).Trim() : "";
            return text.Length > 0
                ? text
                : throw new UserErrorException($"--token {file} holds no token: write one into it with `openssl rand -hex 16`.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"--token {file} cannot be read ({error.Message.TrimEnd('.')}).", error);
        }
    }
}
