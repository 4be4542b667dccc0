using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Uniscale.Dashboard.Reading;

namespace Uniscale.Dashboard.Curves;

/// <summary>
/// <c>/live</c>: the curves of runs as server-sent events, first all and then what is new, within a tenth of a second; <c>/series</c>: the
/// same once, as JSON.
/// Both take <c>run</c> and <c>name</c> (again and again), <c>x</c>, <c>smooth</c>, <c>from</c> and <c>to</c>.
/// </summary>
internal static class LiveEndpoint
{
    private const int MostRuns = 64,
        MostNames = 128;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(80),
        Beat = TimeSpan.FromSeconds(10);

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet(
            "/series",
            async (HttpContext context, RunCatalog catalog) =>
            {
                context.Response.ContentType = "application/json; charset=utf-8";
                var buffer = new ArrayBufferWriter<byte>();
                _ = Write(Feeds(context.Request, catalog), buffer);
                await context.Response.BodyWriter.WriteAsync(buffer.WrittenMemory, context.RequestAborted);
            }
        );
        routes.MapGet("/live", Stream);
    }

    private static async Task Stream(HttpContext context, RunCatalog catalog)
    {
        context.Response.ContentType = "text/event-stream";
        var (feeds, stop, buffer) = (Feeds(context.Request, catalog), context.RequestAborted, new ArrayBufferWriter<byte>());
        var silent = TimeSpan.Zero;
        try
        {
            while (!stop.IsCancellationRequested)
            {
                buffer.Clear();
                if (Write(feeds, buffer))
                {
                    await Send(context, "data: "u8.ToArray(), buffer.WrittenMemory);
                    silent = TimeSpan.Zero;
                }
                else if ((silent += Pause) > Beat)
                {
                    // A viewer that is gone is noticed by writing to it.
                    await Send(context, ": still here"u8.ToArray(), default);
                    silent = TimeSpan.Zero;
                }
                await Task.Delay(Pause, stop);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or IOException)
        {
            // The viewer has left.
        }
    }

    private static async Task Send(HttpContext context, ReadOnlyMemory<byte> prefix, ReadOnlyMemory<byte> data)
    {
        var writer = context.Response.BodyWriter;
        writer.Write(prefix.Span);
        writer.Write(data.Span);
        writer.Write("\n\n"u8);
        await writer.FlushAsync(context.RequestAborted);
    }

    private static List<RunFeed> Feeds(HttpRequest request, RunCatalog catalog)
    {
        var query = CurveQuery.Of(request.Query);
        string[] names = [.. request.Query["name"].OfType<string>().Take(MostNames)];
        return
        [
            .. request
                .Query["run"]
                .Take(MostRuns)
                .Select(catalog.Find)
                .Where(folder => folder is { IsSweep: false })
                .Select(folder => new RunFeed(catalog.Follow(folder!), query, names)),
        ];
    }

    /// <summary>Writes the news of all runs as one line of JSON.</summary>
    private static bool Write(List<RunFeed> feeds, ArrayBufferWriter<byte> buffer)
    {
        bool isAny = false;
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteStartArray("runs");
        foreach (var feed in feeds)
        {
            feed.Refresh();
            isAny |= feed.Write(json);
        }
        json.WriteEndArray();
        json.WriteEndObject();
        return isAny;
    }
}
